import { ServiceError } from "../schema/errors.ts";
import type { Profile, ProfileWindow } from "../schema/profile.ts";
import { cpuSteps, memoryAfterKill, memoryFor, stepAbove, stepAtLeast, stepBelow } from "./allocation.ts";
import type { Clock } from "./clock.ts";
import { climbLadder, coresAt, type Exploration, fitDemand, predictCpu, sweepCallers } from "./explore.ts";
import type { FileTree } from "./file-tree.ts";
import { chooseLimiter } from "./limiters/choose-limiter.ts";
import type { Limiter, Limits, Unavailable } from "./limiters/limiter.ts";
import { LoadGenerator } from "./load-generator.ts";
import { type ProbeParts, probe, windowSeconds } from "./probe.ts";
import { profileDocument } from "./profile-document.ts";
import { type ProfileRequest, paceOf } from "./profile-request.ts";
import { smallestStep } from "./smallest-step.ts";
import { ServiceDied, Stage } from "./stage.ts";
import { startCandidate } from "./targets/start-candidate.ts";
import { warmUp } from "./warm-up.ts";

const MEMORY_TRIES = 4;
const HEADROOM = 1.2;

/** What a profile runs in. */
export interface Surroundings {
  readonly tree: FileTree;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly machine: { readonly cores: number; readonly cpuModel: string; readonly memoryBytes: number };
  readonly leewayVersion: string;
  readonly newId: () => string;
  /** Told what is done now, and which share of the budget is used. */
  readonly onPhase: (share: number, note: string) => void;
}

/** Everything that was found, before it is put into words. */
export interface Findings {
  readonly request: ProfileRequest;
  readonly limiter: Limiter;
  readonly passedOver: readonly Unavailable[];
  readonly stage: Stage;
  readonly meterKind: string;
  readonly readyMs: number | undefined;
  readonly warm: { readonly seconds: number; readonly state: "steady" | "still-changing" };
  readonly afterStartBytes: number | undefined;
  readonly exploration: Exploration;
  readonly replicas: number | undefined;
  readonly ratePerReplica: number;
  readonly cpu: number | undefined;
  readonly cpuRequest: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly memoryKills: number;
  readonly peakBytes: number | undefined;
  readonly atTarget: ProfileWindow | undefined;
  readonly atHeadroom: ProfileWindow | undefined;
  readonly below: { readonly cpu: number | undefined; readonly window: ProfileWindow | undefined };
  readonly maxRate: number | undefined;
  readonly budget: "kept" | "used-up";
  readonly requestsSent: number;
  readonly startedAt: Date;
  readonly elapsedSeconds: number;
}

/**
 * Loads a service, finds the smallest CPU and memory that meet the objective at the target rate, and verifies them.
 * Leaves no process and no control group behind, however it ends.
 *
 * @throws ServiceError when the service does not start or answers nothing well; the signal's reason when aborted.
 */
export async function runProfile(request: ProfileRequest, around: Surroundings): Promise<Profile> {
  const { tree, clock, signal } = around;
  const pause = (ms: number) => clock.pause(ms);
  const { limiter, passedOver } = await chooseLimiter(
    tree,
    pause,
    request.candidate.kind === "url" ? "none" : request.limiter,
  );
  const generator = await LoadGenerator.start({ requests: request.maxRequests, ms: 2 * request.budgetMs });
  const stage = new Stage({
    limiter,
    generator,
    load: request.load,
    objective: request.objective,
    tree,
    clock,
    signal,
    start: (wrap) => startCandidate(request.candidate, { wrap, env: around.env, tree, clock, signal }),
  });
  try {
    const findings = await new Search(request, around, { limiter, stage }).run();
    return profileDocument({ ...findings, passedOver, requestsSent: generator.sent }, around);
  } catch (error) {
    if (error instanceof ServiceDied) throw new ServiceError("upstream-failed", error.message);
    throw error;
  } finally {
    try {
      await stage.stop();
    } finally {
      await generator.close();
    }
  }
}

class Search {
  readonly #request: ProfileRequest;
  readonly #around: Surroundings;
  readonly #limiter: Limiter;
  readonly #stage: Stage;
  readonly #parts: ProbeParts;
  readonly #steps: readonly number[];
  readonly #mostCpu: number;
  readonly #startedMs: number;
  readonly #safeMemory: number;
  readonly #tried = new Map<number, ProfileWindow>();
  #memoryKills = 0;
  #startPeak = 0;
  #budget: "kept" | "used-up" = "kept";

  constructor(
    request: ProfileRequest,
    around: Surroundings,
    { limiter, stage }: { readonly limiter: Limiter; readonly stage: Stage },
  ) {
    this.#request = request;
    this.#around = around;
    this.#limiter = limiter;
    this.#stage = stage;
    this.#startedMs = around.clock.monotonicMs();
    this.#mostCpu = Math.min(request.maxCpu ?? Number.POSITIVE_INFINITY, around.machine.cores);
    this.#steps = cpuSteps(this.#mostCpu);
    this.#safeMemory = Math.floor(around.machine.memoryBytes * 0.8);
    this.#parts = {
      stage,
      request,
      pace: paceOf(request),
      cores: around.machine.cores,
      leftMs: () => this.#leftMs(),
    };
  }

  async run(): Promise<Omit<Findings, "passedOver" | "requestsSent">> {
    const { clock } = this.#around;
    const { pace } = this.#parts;
    const startedAt = this.#around.clock.now();
    this.#say("starting the service");
    const whole: Limits = { cpu: this.#mostCpu, memoryBytes: this.#safeMemory };
    const service = await this.#stage.start(whole);
    const afterStart = this.#stage.reading();
    const meterKind = this.#stage.meterKind;
    this.#say("warming up");
    const { maxRequests } = this.#request;
    const warm = await warmUp(this.#stage, { seconds: pace.warmUpSeconds, maxRequests, clock });
    const idleCores = await this.#stage.idle(pace.idleMs);
    const warmed = this.#stage.reading();
    this.#startPeak = Math.max(
      warmed?.heldPeakBytes ?? 0,
      ...this.#stage.samples.map(({ held_bytes }) => held_bytes),
    );
    this.#say("looking for the highest throughput");
    const sweep = await sweepCallers(this.#stage, this.#parts);
    const maxRate = Math.max(...sweep.map(({ achieved_rate }) => achieved_rate));
    this.#say("measuring the CPU time of a request");
    const ladder = await climbLadder(this.#parts, maxRate);
    const exploration: Exploration = { idleCores, sweep, ladder, maxRate };

    const { ratePerReplica, replicas, highest } = await this.#replicas(exploration);
    const demand = fitDemand(idleCores, ladder);
    const cores =
      demand === undefined ? undefined : coresAt(ratePerReplica, { idleCores, ladder, line: demand });
    const found =
      replicas === undefined || cores === undefined
        ? undefined
        : await this.#findCpu({ rate: ratePerReplica, cores, exploration });
    const peakBytes = afterStart === undefined ? undefined : this.#peak();
    const verified = await this.#verify({
      cpu: found,
      rate: ratePerReplica,
      peakBytes,
      exploration,
      replicas,
    });
    return {
      request: this.#request,
      limiter: this.#limiter,
      stage: this.#stage,
      meterKind,
      readyMs: service.readyMs,
      warm,
      afterStartBytes: afterStart?.heldBytes,
      exploration,
      replicas,
      ratePerReplica,
      cpuRequest:
        cores === undefined
          ? undefined
          : stepAtLeast(this.#steps, Math.min(cores * 1.15, verified.cpu ?? this.#mostCpu)),
      memoryKills: this.#memoryKills,
      peakBytes: afterStart === undefined ? undefined : this.#peak(),
      ...verified,
      maxRate: verified.maxRate ?? highest,
      budget: this.#budget,
      startedAt,
      elapsedSeconds: (clock.monotonicMs() - this.#startedMs) / 1_000,
    };
  }

  /** One replica when it bears the whole rate with all cores; otherwise as many as the highest rate that one bears asks for. */
  async #replicas(exploration: Exploration): Promise<{
    readonly replicas: number | undefined;
    readonly ratePerReplica: number;
    readonly highest: number | undefined;
  }> {
    const { rate } = this.#request;
    const asked = exploration.ladder.find((window) => window.rate === rate);
    const whole = asked ?? (rate < exploration.maxRate ? await this.#probeRate(rate) : undefined);
    if (whole?.verdict === "meets") return { replicas: 1, ratePerReplica: rate, highest: rate };
    this.#say("looking for the highest rate within the objective");
    const highest = await this.#maxRate({ least: 0, most: Math.min(rate, exploration.maxRate), windows: 5 });
    if (highest === undefined) return { replicas: undefined, ratePerReplica: rate, highest: undefined };
    const replicas = Math.ceil(rate / highest);
    return { replicas, ratePerReplica: rate / replicas, highest };
  }

  async #probeRate(rate: number): Promise<ProfileWindow> {
    return probe(this.#parts, { phase: "ladder", rate, limits: this.#stage.limits });
  }

  /** Highest rate that meets the objective under the present limits, by halves; undefined when none of those tried does. */
  async #maxRate({
    least,
    most,
    windows,
  }: {
    readonly least: number;
    readonly most: number;
    readonly windows: number;
  }): Promise<number | undefined> {
    let [holds, fails] = [least, most];
    for (let i = 0; i < windows && fails - holds > 0.05 * fails; i += 1) {
      const rate = i === 0 && least === 0 ? 0.8 * most : (holds + fails) / 2;
      if (!this.#hasTime(rate, 1)) break;
      const { verdict } = await probe(this.#parts, { phase: "max-rate", rate, limits: this.#stage.limits });
      if (verdict === "meets") holds = rate;
      else fails = rate;
    }
    return holds > 0 ? holds : undefined;
  }

  /** The smallest CPU step that meets the objective at the rate; undefined when none does. */
  async #findCpu({
    rate,
    cores,
    exploration,
  }: {
    readonly rate: number;
    readonly cores: number;
    readonly exploration: Exploration;
  }): Promise<number | undefined> {
    const predicted = predictCpu({ steps: this.#steps, rate, cores, exploration, request: this.#request });
    if (this.#limiter.cpu !== "quota") return predicted;
    const memoryBytes = this.#safeMemory;
    // By the utilisation law, less than what is used at this rate cannot bear it.
    const tooSmall = this.#steps.findLastIndex((step) => step < 0.9 * cores);
    const guess = this.#steps.indexOf(predicted);
    const { found } = await smallestStep({
      steps: this.#steps,
      guess,
      tooSmall,
      holds: async (cpu) => {
        if (!this.#hasTime(rate, 1, this.#parts.pace.verifySeconds)) return "stop";
        this.#say(`trying ${cpu} cores`);
        const window = await probe(this.#parts, { phase: "allocation", rate, limits: { cpu, memoryBytes } });
        this.#tried.set(cpu, window);
        return window.verdict === "meets" ? "yes" : "no";
      },
    });
    if (found !== undefined) return found;
    const missed = [...this.#tried].filter(([, { verdict }]) => verdict === "misses").map(([cpu]) => cpu);
    const largestMissed = Math.max(0, ...missed);
    // Not all was tried, or strangers were in the way: what has not been seen to fail is what the verifying run tries.
    return this.#steps.find((step) => step > largestMissed && step >= predicted);
  }

  /** Starts afresh under the limits that are to be recommended, and runs at the target, above it, and a step below. */
  async #verify({
    cpu: found,
    rate,
    peakBytes,
    exploration,
    replicas,
  }: {
    readonly cpu: number | undefined;
    readonly rate: number;
    readonly peakBytes: number | undefined;
    readonly exploration: Exploration;
    readonly replicas: number | undefined;
  }): Promise<Pick<Findings, "cpu" | "memoryBytes" | "atTarget" | "atHeadroom" | "below" | "maxRate">> {
    const nothing = { cpu: found, memoryBytes: peakBytes === undefined ? undefined : memoryFor(peakBytes) };
    const unverified = {
      ...nothing,
      atTarget: undefined,
      atHeadroom: undefined,
      below: { cpu: undefined, window: undefined },
      maxRate: undefined,
    };
    if (replicas === undefined) return unverified;
    if (peakBytes === undefined) {
      const atTarget = exploration.ladder.findLast((window) => window.verdict === "meets");
      return { ...unverified, atTarget };
    }
    if (found === undefined) return unverified;
    let memoryBytes = memoryFor(peakBytes);
    let cpu: number = found;
    for (let tries = 1; ; tries += 1) {
      try {
        const limits = { cpu, memoryBytes };
        this.#say(`verifying ${cpu} cores and ${Math.round(memoryBytes / 1024 / 1024)} MiB`);
        await this.#startWarm(limits);
        const seconds = this.#verifySeconds(rate);
        let atTarget = await probe(this.#parts, { phase: "verification", rate, limits, seconds });
        const above = stepAbove(this.#steps, cpu);
        if (
          atTarget.verdict !== "meets" &&
          above !== undefined &&
          this.#limiter.cpu === "quota" &&
          this.#hasTime(rate, 2)
        ) {
          this.#tried.set(cpu, atTarget);
          cpu = above;
          this.#say(`verifying ${cpu} cores`);
          atTarget = await probe(this.#parts, {
            phase: "verification",
            rate,
            limits: { cpu, memoryBytes },
            seconds,
          });
        }
        const atHeadroom = await this.#maybe(rate, () =>
          probe(this.#parts, { phase: "headroom", rate: HEADROOM * rate, limits: { cpu, memoryBytes } }),
        );
        const below = await this.#below(cpu, rate, memoryBytes);
        const maxRate = await this.#maxRateAt({ cpu, memoryBytes, rate, atTarget, atHeadroom, exploration });
        return { cpu, memoryBytes, atTarget, atHeadroom, below, maxRate };
      } catch (error) {
        if (
          !(error instanceof ServiceDied) ||
          error.cause_of_death !== "out-of-memory" ||
          tries >= MEMORY_TRIES
        )
          throw error;
        this.#memoryKills += 1;
        memoryBytes = memoryAfterKill(memoryBytes);
      }
    }
  }

  /**
   * The service afresh and warm, with its memory limited from the beginning. Its CPU is limited once it is warm: a
   * runtime that compiles as it goes takes minutes to warm up on a tenth of a core.
   */
  async #startWarm({ cpu, memoryBytes }: Limits & { readonly cpu: number }): Promise<void> {
    const { pace, request } = this.#parts;
    await this.#stage.start({ cpu: this.#mostCpu, memoryBytes });
    const seconds = request.mode === "quick" ? ([1, 3] as const) : ([2, 8] as const);
    await warmUp(this.#stage, { seconds, maxRequests: request.maxRequests, clock: this.#around.clock });
    await this.#stage.limit({ cpu, memoryBytes });
    await this.#around.clock.pause(pace.idleMs / 2, this.#around.signal);
  }

  /** Evidence that less would fail: what was tried before counts only in quick mode. */
  async #below(cpu: number, rate: number, memoryBytes: number): Promise<Findings["below"]> {
    const less = this.#limiter.cpu === "quota" ? stepBelow(this.#steps, cpu) : undefined;
    if (less === undefined) return { cpu: undefined, window: undefined };
    const before = this.#tried.get(less);
    if (before && this.#request.mode === "quick") return { cpu: less, window: before };
    const limits = { cpu: less, memoryBytes };
    const window = await this.#maybe(rate, () =>
      probe(this.#parts, { phase: "one-step-below", rate, limits }),
    );
    return { cpu: less, window: window ?? before };
  }

  async #maxRateAt({
    cpu,
    memoryBytes,
    rate,
    atTarget,
    atHeadroom,
    exploration,
  }: {
    readonly cpu: number;
    readonly memoryBytes: number;
    readonly rate: number;
    readonly atTarget: ProfileWindow;
    readonly atHeadroom: ProfileWindow | undefined;
    readonly exploration: Exploration;
  }): Promise<number | undefined> {
    if (atTarget.verdict !== "meets") return undefined;
    await this.#stage.limit({ cpu, memoryBytes });
    const above = atHeadroom?.verdict === "meets";
    const least = above ? HEADROOM * rate : rate;
    // By the utilisation law, what a request takes bounds what a limit can bear.
    const demand = (atTarget.cpu_cores ?? 0) / Math.max(atTarget.achieved_rate, 1e-9);
    const bearable = demand > 0 ? Math.min(exploration.maxRate, (1.1 * cpu) / demand) : exploration.maxRate;
    const most = !above && atHeadroom ? HEADROOM * rate : Math.max(least, bearable);
    this.#say("looking for the highest rate within the objective");
    return this.#maxRate({ least, most, windows: this.#parts.pace.maxRateWindows });
  }

  /** Most memory held at the start, in the warm-up and at open-loop rates; what dozens of callers at once took does not count. */
  #peak(): number {
    const windows = this.#stage.windows.filter(({ load }) => load === "open");
    return Math.max(this.#startPeak, ...windows.map(({ held_peak_bytes }) => held_peak_bytes ?? 0));
  }

  #verifySeconds(rate: number): number {
    const usual = windowSeconds(rate, this.#request.objective.percentile, this.#parts.pace);
    return this.#request.mode === "quick"
      ? usual
      : Math.max(usual, Math.min(2 * usual, this.#leftMs() / 4_000));
  }

  async #maybe(rate: number, work: () => Promise<ProfileWindow>): Promise<ProfileWindow | undefined> {
    return this.#hasTime(rate, 1) ? work() : undefined;
  }

  /** Whether the budget has room for so many windows at a rate. */
  #hasTime(rate: number, windows: number, keepSeconds = 0): boolean {
    const seconds = windowSeconds(rate, this.#request.objective.percentile, this.#parts.pace);
    if (this.#leftMs() > (windows * seconds + keepSeconds) * 1_000) return true;
    this.#budget = "used-up";
    return false;
  }

  #leftMs(): number {
    return this.#request.budgetMs - (this.#around.clock.monotonicMs() - this.#startedMs);
  }

  #say(note: string): void {
    this.#around.signal.throwIfAborted();
    this.#around.onPhase(1 - this.#leftMs() / this.#request.budgetMs, note);
  }
}
