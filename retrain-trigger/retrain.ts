import { uuidv7 } from "uuidv7";
import type { DeliveryOutcome } from "../events/delivery.ts";
import { cloudEventOf, emit } from "../events/events.ts";
import type { DeliveryEnd, DeliveryReport, OutboxTarget } from "../events/outbox.ts";
import { postWebhook } from "../events/post-webhook.ts";
import type { WindowResult } from "../schema/drift-result.ts";
import { durationMs } from "../schema/duration.ts";
import { ServiceError } from "../schema/errors.ts";
import type { Metrics } from "../schema/metrics.ts";
import type {
  RetrainDecision,
  RetrainPolicySpec,
  RetrainReport,
  RetrainRequest,
  RetrainRun,
} from "../schema/retrain.ts";
import type { Transaction } from "../store/database.ts";
import type { NamedSpec } from "../store/named-specs.ts";
import { newestWindowEnd } from "../store/newest-window.ts";
import type { OutboxMessage } from "../store/outbox.ts";
import { RetrainStore, type RunQuery, type StoredRun } from "../store/retrain.ts";
import { decideRetrain, type JudgedWindow, type LastRun } from "./decide.ts";
import { driftSummary } from "./drift-summary.ts";
import { Policies, type PoliciesOptions, RETRAIN_POLICY } from "./policies.ts";
import { fitOf } from "./run-status.ts";
import { isToken, newRunToken, tokenHash } from "./status-token.ts";

export interface RetrainOptions extends PoliciesOptions {
  /** Where trainers reach this service; without a slash at the end. */
  readonly publicUrl: () => string;
  /** A new token that cannot be guessed, beginning with `RUN_TOKEN_PREFIX`. */
  readonly newToken?: () => string;
  readonly metrics: Metrics;
}

/** Decides when a model is to be trained again, asks for it, and keeps track of what became of it. */
export class Retrain implements OutboxTarget {
  readonly policies: Policies;
  readonly #parts: RetrainOptions;
  readonly #store: RetrainStore;

  constructor(parts: RetrainOptions) {
    this.#parts = parts;
    this.#store = new RetrainStore(parts.database);
    this.policies = new Policies(parts);
    parts.outbox.register(RETRAIN_POLICY, this);
  }

  /**
   * Decides for every policy on the monitor, and keeps each decision with its reason. A request's run, message and
   * event are written in the caller's transaction too.
   *
   * @param history - Windows of the monitor, newest first, this one included; columns are not needed.
   */
  async onWindow(
    tx: Transaction,
    result: WindowResult,
    history: readonly JudgedWindow[],
  ): Promise<readonly RetrainDecision[]> {
    const decisions: RetrainDecision[] = [];
    for (const policy of await this.policies.on(tx, result)) {
      const choice = decideRetrain({
        policy: policy.spec,
        windows: history,
        newestWindowTo: (await newestWindowEnd(tx, result))?.toISOString(),
        lastRun: await this.#lastRun(tx, result.model),
      });
      const run =
        choice.action === "request"
          ? await this.#request(tx, {
              policy,
              reason: `${choice.reason}: ${choice.detail}`,
              decidedFor: new Date(result.to),
              data: dataWindow(policy.spec, new Date(result.to)),
              drift: driftSummary(result),
              window: { from: result.from, to: result.to },
            })
          : undefined;
      const decision: RetrainDecision = {
        policy: policy.name,
        model: result.model,
        monitor: result.monitor,
        window: { from: result.from, to: result.to },
        ...choice,
        run_id: run?.id ?? null,
        decided_at: this.#parts.now().toISOString(),
      };
      await this.#store.addDecision(tx, decision);
      decisions.push(decision);
    }
    return decisions;
  }

  /** Makes the policy, changes it, or enables its target again. */
  putPolicy(name: string, spec: RetrainPolicySpec): Promise<void> {
    return this.policies.put(name, spec);
  }

  /** A run that somebody asks for, whatever the windows say. It counts for the cooldown. */
  async request(asked: RetrainRequest): Promise<RetrainRun> {
    const run = await this.#parts.database.transaction(async (tx) => {
      const policy = await this.policies.forRequest(tx, asked);
      const newest = (await newestWindowEnd(tx, { model: asked.model })) ?? this.#parts.now();
      const data = dataWindow(policy.spec, asked.to === undefined ? newest : new Date(asked.to));
      return this.#request(tx, {
        policy,
        reason: asked.reason,
        decidedFor: newest,
        data: asked.from === undefined ? data : { ...data, from: new Date(asked.from).toISOString() },
        drift: null,
        window: null,
      });
    });
    return this.run(run.id);
  }

  async run(id: string): Promise<RetrainRun> {
    const [shown] = await this.#shown([await this.#store.getRun(id)]);
    if (!shown) throw new RangeError(`run ${id} vanished`);
    return shown;
  }

  async runs(query: RunQuery): Promise<RetrainRun[]> {
    return this.#shown(await this.#store.listRuns(query));
  }

  /** The last decisions of a policy, newest first. */
  async decisions(policy: string, limit: number): Promise<RetrainDecision[]> {
    await this.policies.show(policy); // not-found, with the names there are
    return this.#store.decisions(policy, limit);
  }

  /** In words, which run under way was asked for because this version drifted; none that is silent for longer than the cooldown. */
  async userOf(model: string, version: string): Promise<string | undefined> {
    const run = await this.#store.lastRun(this.#parts.database, model);
    if (!run || run.drift?.version !== version || !["requested", "started"].includes(run.status))
      return undefined;
    const policy = await this.policies.find(run.policy);
    const silentMs = this.#parts.now().getTime() - Date.parse(run.updated_at);
    if (!policy || silentMs > durationMs(policy.spec.cooldown)) return undefined;
    return `retrain run ${run.id}, which is ${run.status},`;
  }

  /** @throws ServiceError `unauthorized` when the token is not this run's; `not-found`. */
  async checkToken(id: string, token: string): Promise<void> {
    const { token_hash } = await this.#store.getRun(id);
    if (!isToken(token, token_hash))
      throw new ServiceError(
        "unauthorized",
        `the token is not that of run ${id}: its request carries it as status_token`,
      );
  }

  /**
   * Takes a trainer's word on its run. The same word again changes nothing.
   * @throws ServiceError `not-found`, or `conflict` when the run is over.
   */
  async report(id: string, report: RetrainReport): Promise<RetrainRun> {
    const fit = await this.#parts.database.transaction(async (tx) => {
      const run = await this.#store.getRun(id, tx);
      const last = (await this.#store.reports([id], tx)).get(id)?.at(-1);
      const found = fitOf(run.status, report, last && withoutTime(last));
      if (found === "nonsense")
        throw new ServiceError(
          "conflict",
          `run ${id} is ${run.status} since ${run.updated_at}: it cannot become ${report.status}`,
        );
      if (found === "new") await this.#take(tx, run, report);
      return found;
    });
    const run = await this.run(id);
    if (fit === "new") this.#count(run.model, report.status);
    return run;
  }

  async send(message: OutboxMessage, signal: AbortSignal): Promise<DeliveryOutcome> {
    const policy = await this.policies.find(message.target_name);
    if (!policy)
      return { result: "refused", error: `retrain policy "${message.target_name}" has been deleted` };
    const disabled = await this.policies.disabled(policy.name);
    if (disabled) {
      return {
        result: "refused",
        error: `the target of retrain policy "${policy.name}" is disabled since ${disabled.at} (${disabled.why}): PUT /v1/retrain-policies/${policy.name} enables it again`,
      };
    }
    const { privateAddresses, now } = this.#parts;
    const body = withToken(message.body, message.secret);
    const webhook = {
      target: policy.spec.target,
      id: message.id,
      contentType: "application/cloudevents+json",
      body,
    };
    return postWebhook(webhook, { privateAddresses, signal, now });
  }

  /** A request that cannot be delivered is a failed run. */
  async finished(
    tx: Transaction,
    message: OutboxMessage,
    { state, outcome, at }: DeliveryEnd,
  ): Promise<void> {
    if (outcome.result === "gone")
      await this.policies.disable(tx, { name: message.target_name, at, why: outcome.error });
    if (state !== "gave-up" || outcome.result === "delivered") return;
    const run = await this.#store.getRun(message.about, tx);
    if (run.status !== "requested") return; // the trainer has spoken: it got the request after all
    await this.#take(tx, run, {
      status: "failed",
      message: `the trainer could not be asked: ${outcome.error}`,
    });
    this.#count(run.model, "failed");
  }

  count(message: OutboxMessage, outcome: DeliveryReport["outcome"]): void {
    this.#parts.metrics.count("leeway_deliveries_total", {
      subscription: `retrain/${message.target_name}`,
      outcome,
    });
  }

  async #lastRun(tx: Transaction, model: string): Promise<LastRun | undefined> {
    const run = await this.#store.lastRun(tx, model);
    return (
      run && {
        id: run.id,
        status: run.status,
        decidedFor: run.decided_for,
        silentMs: this.#parts.now().getTime() - Date.parse(run.updated_at),
      }
    );
  }

  async #request(tx: Transaction, ask: Ask): Promise<StoredRun> {
    const now = this.#parts.now();
    const token = (this.#parts.newToken ?? newRunToken)();
    const { model } = ask.policy.spec;
    const run: StoredRun = {
      id: uuidv7(),
      model,
      policy: ask.policy.name,
      status: "requested",
      reason: ask.reason,
      decided_for: ask.decidedFor.toISOString(),
      requested_at: now.toISOString(),
      updated_at: now.toISOString(),
      data: ask.data,
      drift: ask.drift,
      token_hash: tokenHash(token),
    };
    await this.#store.addRun(tx, run);
    const event = {
      type: "dev.leeway.retrain.requested",
      subject: subjectOf(run),
      data: this.#told(run, ask),
    } as const;
    const { id } = await emit(tx, event, now);
    await this.#parts.outbox.enqueue(tx, {
      target: { kind: RETRAIN_POLICY, name: ask.policy.name },
      about: run.id,
      body: JSON.stringify({ ...cloudEventOf(event, now), id }),
      secret: token,
    });
    this.#count(model, "requested");
    return run;
  }

  /** What the trainer and the event feed are told; the token is added when the message is sent, and only there. */
  #told(run: StoredRun, { window }: Ask): Record<string, unknown> {
    const base = this.#parts.publicUrl();
    const query = new URLSearchParams({ from: run.data.from, to: run.data.to, format: "parquet" });
    return {
      run_id: run.id,
      model: run.model,
      policy: run.policy,
      reason: run.reason,
      drift: run.drift,
      window,
      data: {
        ...run.data,
        parquet_url: `${base}/v1/models/${encodeURIComponent(run.model)}/records?${query}`,
      },
      status_url: `${base}/v1/retrain-runs/${run.id}/status`,
    };
  }

  async #take(tx: Transaction, run: StoredRun, report: RetrainReport): Promise<void> {
    const now = this.#parts.now();
    await this.#store.addReport(tx, { id: run.id, report, now });
    if (run.status === report.status) return; // progress, not a step
    const { message, version, metrics } = report;
    await emit(
      tx,
      {
        type: `dev.leeway.retrain.${report.status}`,
        subject: subjectOf(run),
        data: { run_id: run.id, model: run.model, policy: run.policy, message, version, metrics },
      },
      now,
    );
  }

  async #shown(runs: readonly StoredRun[]): Promise<RetrainRun[]> {
    const ids = runs.map(({ id }) => id);
    const reports = await this.#store.reports(ids);
    const deliveries = await this.#parts.outbox.deliveries(ids);
    return runs.map(({ token_hash: _secret, decided_for: _internal, ...run }) => ({
      ...run,
      delivery: deliveries.get(run.id) ?? null,
      reports: reports.get(run.id) ?? [],
    }));
  }

  #count(model: string, outcome: RetrainRun["status"]): void {
    this.#parts.metrics.count("leeway_retrain_runs_total", { model, outcome });
  }
}

interface Ask {
  readonly policy: NamedSpec<RetrainPolicySpec>;
  readonly reason: string;
  readonly decidedFor: Date;
  readonly data: { readonly from: string; readonly to: string };
  readonly drift: Record<string, unknown> | null;
  /** The window that led to the request; null for one by hand. */
  readonly window: { readonly from: string; readonly to: string } | null;
}

function dataWindow({ data_window }: RetrainPolicySpec, to: Date): { from: string; to: string } {
  return { from: new Date(to.getTime() - durationMs(data_window)).toISOString(), to: to.toISOString() };
}

function subjectOf({ id }: StoredRun): string {
  return `retrain-runs/${id}`;
}

function withToken(body: string, token: string | null): string {
  const event = JSON.parse(body) as { readonly data: Readonly<Record<string, unknown>> }; // written by #request
  return JSON.stringify({ ...event, data: { ...event.data, status_token: token } });
}

function withoutTime({ at: _at, ...report }: RetrainRun["reports"][number]): RetrainReport {
  return report;
}
