import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { emit } from "../events/events.ts";
import {
  type DeploymentSpec,
  type DeploymentStatus,
  deploymentSpec,
  type PlanKind,
  type ReplicaPlan,
} from "../schema/deployment.ts";
import { ServiceError } from "../schema/errors.ts";
import type { EventType } from "../schema/event.ts";
import type { Metrics } from "../schema/metrics.ts";
import type { ResolveModel } from "../schema/model-version.ts";
import type { Database, Transaction } from "../store/database.ts";
import { DeploymentStore, type StoredDeployment, type StoredPlan } from "../store/deployments.ts";
import { describeDeployment } from "./describe-deployment.ts";
import { endOrphans } from "./end-orphans.ts";
import { recordFailure, settleUnfinished, wouldFailAgain } from "./failed-plan.ts";
import {
  type DeploymentFilter,
  type DeploymentList,
  type DeploymentPage,
  pageOf,
} from "./find-deployments.ts";
import { GroupClient, type GroupProgram } from "./group-client.ts";
import { type CaptureTarget, makePlan } from "./make-plan.ts";
import { planFile, writePlanFile } from "./plan-file.ts";
import { canaryOf, planBefore, specAfterRollback, specWithout } from "./plan-history.ts";
import type { GroupStatus } from "./replica/group-state.ts";
import { refuseOpenAddress, withHashes } from "./scoring-access.ts";
import { TrafficMetrics } from "./traffic-metrics.ts";
import { VersionsInPreparation } from "./versions-in-preparation.ts";

const SHOWN_PLANS = 20;
const KNOWN_PLANS = 1_000;

export interface DeploymentsOptions {
  readonly database: Database;
  /** Where each deployment has a folder of its own. */
  readonly folder: string;
  readonly resolve: ResolveModel;
  readonly program: GroupProgram;
  readonly capture: () => CaptureTarget;
  readonly metrics: Metrics;
  readonly log: (level: "info" | "warn", message: string, fields: Readonly<Record<string, unknown>>) => void;
  readonly now: () => Date;
}

/** Why and by whom something is changed. */
export interface Reason {
  readonly why?: string | undefined;
}

interface Change extends Reason {
  readonly kind: PlanKind;
  readonly event: Extract<EventType, `dev.leeway.deployment.${string}`>;
  readonly repeats?: number | undefined;
}

/**
 * Deployments: what is served where, by which plan. A plan is stored before it is served and never changes. The replicas
 * belong to a group, a process that outlives this one; what is found at a start goes on as it was.
 */
export class Deployments {
  readonly #parts: DeploymentsOptions;
  readonly #store: DeploymentStore;
  readonly #traffic: TrafficMetrics;
  readonly #preparing = new VersionsInPreparation();
  readonly #turns = new Map<string, Promise<unknown>>();

  constructor(parts: DeploymentsOptions) {
    this.#parts = parts;
    this.#store = new DeploymentStore(parts.database);
    this.#traffic = new TrafficMetrics(parts.metrics);
  }

  /**
   * Makes a deployment, or has one serve something else: resolves when its replicas answer by the new plan.
   *
   * @throws ServiceError `conflict` with the reason when they cannot; what was served before goes on.
   */
  async put(name: string, asked: DeploymentSpec, { why }: Reason = {}): Promise<DeploymentStatus> {
    refuseOpenAddress(name, asked);
    await this.#inTurn(name, async () => {
      const before = await this.#store.find(name);
      const running = before?.state === "running";
      const kind = running ? "change" : "start";
      const event = running ? "dev.leeway.deployment.upgraded" : "dev.leeway.deployment.started";
      await this.#serve(name, withHashes(asked), { kind, event, why });
    });
    return this.get(name);
  }

  /** @throws ServiceError `not-found`, naming those there are. */
  async get(name: string): Promise<DeploymentStatus> {
    const deployment = await this.#stored(name);
    const plans = await this.#store.plans(name, SHOWN_PLANS, deployment.plan);
    return describeDeployment(deployment, plans, await this.#statusOf(deployment));
  }

  /** Where the deployment's files are. @throws ServiceError `not-found`. */
  async folderOf(name: string): Promise<string> {
    return join(this.#parts.folder, (await this.#stored(name)).name);
  }

  /** A page of those that fit, by name. */
  async list(wanted: DeploymentFilter, page: DeploymentPage): Promise<DeploymentList> {
    const { found, cursor } = pageOf(await this.#store.list(), wanted, page);
    const deployments: DeploymentStatus[] = [];
    for (const { name } of found) deployments.push(await this.get(name));
    return { deployments, cursor };
  }

  /** Gives all calls to one version: the one that is named, or the one that is not the last to have had all of them. */
  async promote(name: string, version: string | undefined, { why }: Reason = {}): Promise<DeploymentStatus> {
    await this.#inTurn(name, async () => {
      const { spec } = await this.#running(name);
      const promoted = version ?? canaryOf(name, spec, await this.#store.plans(name, KNOWN_PLANS));
      if (!spec.versions.some((each) => each.version === promoted) && spec.shadow?.version !== promoted)
        throw new ServiceError(
          "conflict",
          `version ${promoted} is not in deployment "${name}": there are ${spec.versions.map((each) => each.version).join(", ")}`,
        );
      const { shadow, ...rest } = spec;
      const kept = shadow && shadow.version !== promoted ? { shadow } : {};
      const next = { ...rest, ...kept, versions: [{ version: promoted, weight: 100 }] };
      await this.#serve(name, next, { kind: "promotion", event: "dev.leeway.deployment.promoted", why });
    });
    return this.get(name);
  }

  /** Goes back to what was served before: the plan before the one whose content is served now. */
  async rollback(name: string, { why }: Reason = {}): Promise<DeploymentStatus> {
    await this.#inTurn(name, async () => {
      const { plan, spec } = await this.#running(name);
      const plans = await this.#store.plans(name, KNOWN_PLANS, plan);
      const now = plans.find(({ number }) => number === plan);
      const target = planBefore(now, plans);
      if (!target)
        throw new ServiceError(
          "conflict",
          `deployment "${name}" has served nothing else before: there is nothing to go back to`,
        );
      await this.#serve(name, specAfterRollback(deploymentSpec.parse(target.spec), spec), {
        kind: "rollback",
        event: "dev.leeway.deployment.rolled_back",
        repeats: target.number,
        why,
      });
    });
    return this.get(name);
  }

  /** Lets the replicas finish and end. The history stays, and a later `put` takes the deployment up again. */
  async stop(name: string, { why }: Reason = {}): Promise<DeploymentStatus> {
    await this.#inTurn(name, async () => {
      const deployment = await this.#stored(name);
      const group = this.#group(name);
      if (await group.status()) await group.stop();
      if (deployment.state === "stopped") return;
      await this.#parts.database.transaction(async (tx) => {
        await this.#store.put(tx, { ...deployment, state: "stopped" }, this.#parts.now());
        await this.#tell(tx, "dev.leeway.deployment.stopped", name, {
          model: deployment.model,
          why: why ?? null,
        });
      });
      this.#traffic.forget(name);
    });
    return this.get(name);
  }

  /** In words, which deployment serves a version now, or is about to. */
  async userOf(model: string, version: string): Promise<string | undefined> {
    const preparing = this.#preparing.userOf(model, version);
    if (preparing !== undefined) return preparing;
    for (const { name, state, spec, model: served } of await this.#store.list()) {
      if (state !== "running" || served !== model) continue;
      const { versions, shadow } = deploymentSpec.parse(spec);
      if (versions.some((each) => each.version === version) || shadow?.version === version)
        return `deployment "${name}"`;
    }
    return undefined;
  }

  /** Looks after all deployments: one whose group is gone is started again, and a canary that was taken back is recorded. */
  async tick(): Promise<void> {
    for (const name of await this.#store.unfinished())
      await this.#inTurn(name, () => settleUnfinished(name, this.#group(name), this.#books)).catch(
        (error: unknown) => this.#warn(name, error),
      );
    for (const deployment of await this.#store.list()) {
      if (deployment.state === "stopped") continue;
      await this.#inTurn(deployment.name, () => this.#lookAfter(deployment.name)).catch((error: unknown) =>
        this.#warn(deployment.name, error),
      );
    }
  }

  #warn(deployment: string, error: unknown): void {
    this.#parts.log("warn", "a deployment needs help", { deployment, why: (error as Error).message });
  }

  async #lookAfter(name: string): Promise<void> {
    const deployment = await this.#store.find(name);
    if (deployment?.state !== "running" || deployment.plan === null) return;
    const group = this.#group(name);
    const status = await group.status();
    if (!status) {
      await this.#startGroup(deployment, group);
      await group.serve(this.#planFile(name, deployment.plan));
      this.#parts.log("info", "a deployment is served again", { deployment: name, plan: deployment.plan });
      return;
    }
    this.#traffic.show(name, status);
    if (status.plan !== deployment.plan) await group.serve(this.#planFile(name, deployment.plan));
    else if (status.withdrawn) await this.#recordWithdrawal(deployment, status.withdrawn);
    else await this.#retarget(deployment);
  }

  /** Replicas are started anew when the collector has another address than their plan says, or has begun to ask for a key. */
  async #retarget({ name, plan, spec }: StoredDeployment): Promise<void> {
    const plans = await this.#store.plans(name, SHOWN_PLANS, plan);
    const { capture } = (plans.find(({ number }) => number === plan)?.document ?? {}) as Partial<ReplicaPlan>; // as it was stored
    const { url, apiKeyFile } = this.#parts.capture();
    const moved = capture !== undefined && capture.collector !== url;
    const keyed = capture !== undefined && capture.api_key_file === undefined && apiKeyFile !== undefined;
    const [newest] = plans;
    if (newest?.kind === "restart" && wouldFailAgain(newest)) return;
    if (!moved && !keyed) return;
    await this.#serve(name, deploymentSpec.parse(spec), {
      kind: "restart",
      repeats: plan ?? undefined,
      event: "dev.leeway.deployment.upgraded",
      why: keyed
        ? "there are API keys now: the replicas get one to send records with"
        : `the collector is at ${url} now`,
    });
  }

  /** The replicas have taken a canary back already; now it is in the plan too. */
  async #recordWithdrawal(
    { name, spec }: StoredDeployment,
    { version, reason }: NonNullable<GroupStatus["withdrawn"]>,
  ): Promise<void> {
    await this.#serve(name, specWithout(deploymentSpec.parse(spec), version), {
      kind: "automatic-rollback",
      event: "dev.leeway.deployment.rolled_back",
      why: `version ${version} was taken back: ${reason}`,
    });
  }

  async #serve(name: string, asked: DeploymentSpec, change: Change): Promise<void> {
    try {
      // A transaction, so that a deletion under way is either done when versions are looked up, or sees this.
      await this.#parts.database.transaction(async () => this.#preparing.begin(name, asked.model));
      await this.#serveInUse(name, asked, change);
    } finally {
      this.#preparing.end(name);
    }
  }

  async #serveInUse(name: string, asked: DeploymentSpec, change: Change): Promise<void> {
    const { database, now, resolve, capture } = this.#parts;
    const folder = join(this.#parts.folder, name);
    mkdirSync(folder, { recursive: true, mode: 0o700 }); // before anything else makes it, for everybody to read
    const [newest] = await this.#store.plans(name, 1);
    const number = (newest?.number ?? 0) + 1;
    const { plan, settled } = await makePlan(asked, { name, number, resolve, folder, capture: capture() });
    const used = [...settled.versions, ...(settled.shadow ? [settled.shadow] : [])];
    this.#preparing.begin(
      name,
      settled.model,
      used.map(({ version }) => version),
    );
    const stored: Omit<StoredPlan, "created_at"> = {
      number,
      kind: change.kind,
      why: change.why ?? null,
      outcome: "pending",
      error: null,
      repeats: change.repeats ?? null,
      spec: settled,
      document: plan,
    };
    await database.transaction((tx) => this.#store.addPlan(tx, name, stored, now()));
    writePlanFile(folder, plan);
    const before = await this.#store.find(name);
    const group = this.#group(name);
    let host = before?.host ?? settled.host;
    let port = before?.port;
    try {
      if (before?.state !== "running") await group.end(); // of one that was stopped and still answers
      const moved = before && (before.host !== settled.host || (settled.port ?? before.port) !== before.port);
      if (moved && before.state === "running" && (await group.status()))
        throw new ServiceError(
          "conflict",
          `deployment "${name}" scores at ${host}:${port}: stop it first to have it elsewhere`,
        );
      if (!(await group.status())) {
        host = settled.host;
        port = await this.#startGroup({ name, host, port: settled.port ?? port }, group);
      }
      await group.serve(this.#planFile(name, number));
    } catch (error) {
      await recordFailure({ name, number, why: (error as Error).message }, this.#books);
      if (before?.state !== "running" && (await group.status())) await group.stop();
      throw error instanceof ServiceError && error.code === "conflict"
        ? new ServiceError("conflict", `deployment "${name}" cannot serve this: ${error.message}`)
        : error;
    }
    await database.transaction(async (tx) => {
      await this.#store.settlePlan(tx, name, { number, outcome: "live", error: null });
      const running = {
        name,
        model: settled.model,
        state: "running",
        spec: settled,
        host,
        port: port ?? 0,
        plan: number,
      } as const;
      await this.#store.put(tx, running, now());
      await this.#tell(tx, change.event, name, {
        model: settled.model,
        plan: number,
        versions: settled.versions,
        why: change.why ?? null,
        ...(change.kind === "automatic-rollback" ? { automatic: true } : {}),
      });
    });
  }

  async #startGroup(
    { name, host, port }: { readonly name: string; readonly host: string; readonly port: number | undefined },
    group: GroupClient,
  ): Promise<number> {
    await endOrphans(group);
    const found = await group.start({ host, port, program: this.#parts.program });
    this.#parts.log("info", "a group of replicas was started", { deployment: name, host, port: found });
    return found;
  }

  async #running(name: string): Promise<{ readonly spec: DeploymentSpec; readonly plan: number }> {
    const { state, spec, plan } = await this.#stored(name);
    if (state === "running" && plan !== null) return { spec: deploymentSpec.parse(spec), plan };
    throw new ServiceError("conflict", `deployment "${name}" is stopped: deploy it again first`);
  }

  async #stored(name: string): Promise<StoredDeployment> {
    const found = await this.#store.find(name);
    if (found) return found;
    const names = (await this.#store.list()).map((deployment) => deployment.name);
    throw new ServiceError(
      "not-found",
      `there is no deployment "${name}": ${names.length > 0 ? `there are ${names.join(", ")}` : "none has been made yet"}`,
    );
  }

  async #statusOf({ name, state }: StoredDeployment): Promise<GroupStatus | undefined> {
    return state === "stopped" ? undefined : this.#group(name).status();
  }

  get #books() {
    const { database, now } = this.#parts;
    return { database, store: this.#store, now };
  }

  #group(name: string): GroupClient {
    return new GroupClient(join(this.#parts.folder, name));
  }

  #planFile(name: string, number: number): string {
    return planFile(join(this.#parts.folder, name), number);
  }

  async #tell(
    tx: Transaction,
    type: Change["event"] | "dev.leeway.deployment.stopped",
    name: string,
    data: Record<string, unknown>,
  ): Promise<void> {
    await emit(tx, { type, subject: `deployments/${name}`, data }, this.#parts.now());
  }

  #inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
    const turn = (this.#turns.get(name) ?? Promise.resolve()).then(work);
    this.#turns.set(
      name,
      turn.catch(() => undefined),
    );
    return turn;
  }
}
