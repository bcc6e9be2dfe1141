import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ReplicaPlan, replicaPlan } from "../../schema/deployment.ts";
import { judgeCanary } from "../canary-guard.ts";
import { decideScale } from "../decide-scale.ts";
import { addCounts, emptyCounts, type ScoringCounts, subtractCounts } from "./counts.ts";
import type { GroupStatus } from "./group-state.ts";
import { LoadWatch, roomFor } from "./load-watch.ts";
import type { ReplicaLog } from "./replica-log.ts";
import { ReplicaProcess } from "./replica-process.ts";

const TICK_MS = 1_000;
const BALANCE_MS = 5_000;
/** Share of the time that the busiest replica is busy. */
const WORTH_BALANCING = 0.05;
/** How long old replicas have to finish. */
const DRAIN_MS = 30_000;
const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 30_000;
/** A replica that has lived so long has not failed at its start. */
const STEADY_MS = 60_000;
const LOGS_KEPT = 64;

/** The replicas of one deployment: they are started by its plan, started again when they end, and replaced by a new plan's. */
export class ReplicaGroup {
  readonly #folder: string;
  readonly #log: ReplicaLog;
  readonly #version: string;
  readonly #live = new Set<ReplicaProcess>();
  /** Of replicas that have ended. */
  readonly #retired: ScoringCounts = {};
  /** Of replicas of this plan that have ended. */
  #retiredOfPlan: ScoringCounts = {};
  #plan: { readonly plan: ReplicaPlan; readonly file: string } | undefined;
  #withdrawn: GroupStatus["withdrawn"] = null;
  readonly #load = new LoadWatch();
  #wanted = 0;
  #scaling: GroupStatus["scaling"] = null;
  #restarts = 0;
  #lastFailure: string | null = null;
  #state: "running" | "replacing" | "stopping" = "running";
  readonly #ticker: NodeJS.Timeout;
  #turn: Promise<unknown> = Promise.resolve();
  #balancedMs = 0;
  #onReplicas: (pids: readonly number[]) => void = () => undefined;

  constructor(folder: string, log: ReplicaLog, version: string) {
    this.#folder = folder;
    this.#log = log;
    this.#version = version;
    mkdirSync(join(folder, "logs"), { recursive: true });
    this.#ticker = setInterval(() => this.#tick(), TICK_MS);
  }

  get status(): GroupStatus {
    const serving = this.#serving();
    return {
      pid: process.pid,
      version: this.#version,
      plan: this.#plan?.plan.number ?? null,
      wanted: this.#wanted,
      scaling: this.#scaling,
      replicas: serving.flatMap(({ slot, state }) =>
        state ? [{ slot, utilisation: this.#load.busyOf(state.pid), ...state }] : [],
      ),
      restarts: this.#restarts,
      last_failure: this.#lastFailure,
      withdrawn: this.#withdrawn,
      counts: this.#total(),
    };
  }

  /**
   * Serves by another plan: its replicas are started beside those there are, and only when all of them score do the old
   * ones take no more connections, finish and end.
   *
   * @throws Error with the reason when one of the new replicas cannot be started; the old ones go on then.
   */
  serve(file: string): Promise<void> {
    const turn = this.#turn.then(() => this.#replace(file));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Calls back with the processes there are, whenever one begins or ends. */
  onReplicas(told: (pids: readonly number[]) => void): void {
    this.#onReplicas = told;
  }

  /** Lets all replicas finish and end. */
  async stop(): Promise<void> {
    this.#state = "stopping";
    clearInterval(this.#ticker);
    await Promise.all([...this.#live].map((replica) => replica.drain(DRAIN_MS)));
  }

  async #replace(file: string): Promise<void> {
    if (this.#state === "stopping") throw new Error("its replicas are ending");
    const plan = replicaPlan.parse(JSON.parse(await readFile(file, "utf8")));
    const { scaling } = plan;
    // A new plan begins with as many as the load has asked for so far.
    const count = scaling ? Math.min(Math.max(this.#wanted, scaling.min), scaling.max) : plan.replicas;
    const fresh = Array.from({ length: count }, (_, slot) => this.#start({ plan, file }, slot));
    this.#state = "replacing";
    try {
      await Promise.all(fresh.map(({ ready }) => ready));
    } catch (error) {
      for (const replica of fresh) replica.kill();
      throw error;
    } finally {
      if (this.#state === "replacing") this.#state = "running";
    }
    // All others: one of them may have been started again meanwhile.
    const old = [...this.#live].filter((replica) => !fresh.includes(replica));
    this.#plan = { plan, file };
    this.#wanted = count;
    this.#load.forget();
    this.#scaling = scaling ? { utilisation: null, reason: "it has just begun", last_change: null } : null;
    this.#withdrawn = null;
    this.#retiredOfPlan = {};
    this.#lastFailure = null;
    for (const replica of fresh) void this.#watch(replica);
    for (const replica of old) {
      // A key that was taken away is of no use on a connection that is still there, either.
      replica.tell({ say: "keys", hashes: plan.auth?.key_hashes ?? [] });
      void replica.drain(DRAIN_MS);
    }
    this.#log("info", "plan is served", { plan: plan.number, replicas: count });
    this.#removeOldLogs();
  }

  #start(
    { plan, file }: { readonly plan: ReplicaPlan; readonly file: string },
    slot: number,
  ): ReplicaProcess {
    const logFile = join(this.#folder, "logs", `plan-${plan.number}-replica-${slot}.log`);
    const replica = new ReplicaProcess({ slot, planFile: file, logFile });
    this.#live.add(replica);
    const tellAll = () => this.#onReplicas([...this.#live].map(({ pid }) => pid));
    tellAll();
    void replica.ended.then(() => {
      this.#live.delete(replica);
      tellAll();
      if (!replica.state) return;
      addCounts(this.#retired, replica.state.counts);
      if (replica.state.plan === this.#plan?.plan.number)
        addCounts(this.#retiredOfPlan, replica.state.counts);
    });
    return replica;
  }

  /** Starts a replica again when it ends by itself: at once, then after longer and longer pauses. */
  async #watch(first: ReplicaProcess): Promise<void> {
    const current = this.#plan;
    let replica = first;
    let pauseMs = FIRST_PAUSE_MS;
    for (;;) {
      const how = await replica.ended;
      if (replica.dismissed === "yes" || !current || this.#plan !== current) return;
      if (performance.now() - replica.startedAt > STEADY_MS) pauseMs = FIRST_PAUSE_MS;
      this.#lastFailure = `replica ${replica.slot}: ${how}`;
      this.#restarts += 1;
      this.#log("warn", "a replica ended and is started again", {
        slot: replica.slot,
        how,
        pause_ms: pauseMs,
      });
      await new Promise((resolve) => setTimeout(resolve, pauseMs));
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
      if (this.#state === "stopping" || this.#plan !== current) return;
      replica = this.#start(current, replica.slot);
      void replica.ready.then(
        () => this.#tick(),
        () => undefined, // it has ended then, which the next round sees
      );
    }
  }

  /** Tells each replica what the others have counted, and takes a canary back that does harm. */
  #tick(): void {
    const serving = this.#serving();
    const total = this.#total();
    for (const replica of serving) {
      const others: ScoringCounts = {};
      addCounts(others, total);
      if (replica.state) subtractCounts(others, replica.state.counts);
      replica.tell({ say: "others", counts: others, replicas: serving.length - 1 });
      if (this.#withdrawn) replica.tell({ say: "withdraw", version: this.#withdrawn.version });
    }
    if (!this.#withdrawn) this.#guard(serving);
    this.#scale(serving);
    this.#balance(serving);
  }

  /**
   * A new connection goes to whichever replica wakes first, and callers keep it: one may be left with next to nothing to
   * do. Half of the callers of the busiest are then asked to come anew.
   */
  #balance(serving: readonly ReplicaProcess[]): void {
    const now = Date.now();
    if (serving.length < 2 || now - this.#balancedMs < BALANCE_MS) return;
    const known = serving.map((replica) => ({
      replica,
      busy: replica.state && this.#load.busyOf(replica.state.pid),
    }));
    let [idlest, busiest] = [1, 0];
    for (const { busy } of known) {
      if (typeof busy !== "number") return; // it has just begun
      idlest = Math.min(idlest, busy);
      busiest = Math.max(busiest, busy);
    }
    if (busiest < WORTH_BALANCING || idlest > busiest / 4) return;
    this.#balancedMs = now;
    known.find(({ busy }) => busy === busiest)?.replica.tell({ say: "share", with: 1 });
  }

  /** Starts or ends replicas as the load asks for. */
  #scale(serving: readonly ReplicaProcess[]): void {
    const current = this.#plan;
    const limits = current?.plan.scaling;
    const states = serving.flatMap(({ state }) => state ?? []);
    const looks = this.#load.look(states, Date.now());
    if (!current || !limits || serving.length !== this.#wanted || this.#state !== "running") return;
    const { replicas, action, reason } = decideScale(looks, limits, roomFor(states));
    const last = looks.at(-1);
    const utilisation = last ? last.busy / last.replicas : null;
    this.#scaling = { utilisation, reason, last_change: this.#scaling?.last_change ?? null };
    if (action === "keep") return;
    const from = this.#wanted;
    this.#wanted = replicas;
    this.#load.forget();
    this.#scaling = {
      utilisation,
      reason,
      last_change: { at: new Date().toISOString(), from, to: replicas, reason },
    };
    this.#log("info", "the number of replicas changes", { from, to: replicas, reason });
    if (action === "down") {
      const leaving = serving.toSorted((a, b) => b.slot - a.slot).slice(0, from - replicas);
      for (const replica of leaving) void replica.drain(DRAIN_MS);
      return;
    }
    const taken = new Set(serving.map(({ slot }) => slot));
    const free = Array.from({ length: from + replicas }, (_, slot) => slot).filter(
      (slot) => !taken.has(slot),
    );
    for (const slot of free.slice(0, replicas - from)) {
      const replica = this.#start(current, slot);
      void this.#watch(replica);
      void replica.ready.then(
        () => {
          for (const other of serving) other.tell({ say: "share", with: (replicas - from) / from });
        },
        () => undefined, // it has ended then, which is seen to
      );
    }
  }

  #guard(serving: readonly ReplicaProcess[]): void {
    const plan = this.#plan?.plan;
    if (!plan || plan.versions.length < 2) return;
    const counts: ScoringCounts = {};
    addCounts(counts, this.#retiredOfPlan);
    for (const { state } of serving) if (state) addCounts(counts, state.counts);
    const [stable, ...canaries] = plan.versions.toSorted((a, b) => b.weight - a.weight);
    for (const canary of canaries.filter(({ weight }) => weight > 0)) {
      const before = counts[stable?.version ?? ""] ?? emptyCounts();
      const verdict = judgeCanary(before, counts[canary.version] ?? emptyCounts(), plan.guard);
      if (verdict.action === "go-on") continue;
      const { version } = canary;
      this.#withdrawn = { version, reason: verdict.reason, at: new Date().toISOString() };
      this.#log("warn", "the canary is taken back", { version, reason: verdict.reason });
      for (const replica of serving) replica.tell({ say: "withdraw", version });
      return;
    }
  }

  #serving(): ReplicaProcess[] {
    return [...this.#live].filter(
      ({ phase, state }) => phase === "serving" && state?.plan === this.#plan?.plan.number,
    );
  }

  #total(): ScoringCounts {
    const total: ScoringCounts = {};
    addCounts(total, this.#retired);
    for (const { state } of this.#live) if (state) addCounts(total, state.counts);
    return total;
  }

  #removeOldLogs(): void {
    const logs = join(this.#folder, "logs");
    const numberOf = (name: string) => Number(/^plan-(\d+)-/.exec(name)?.[1] ?? 0);
    const names = readdirSync(logs).toSorted((a, b) => numberOf(b) - numberOf(a));
    for (const name of names.slice(LOGS_KEPT)) rmSync(join(logs, name), { force: true });
  }
}
