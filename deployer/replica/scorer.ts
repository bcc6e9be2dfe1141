import { performance } from "node:perf_hooks";
import type { Message, MessageHeaders } from "../../protocols/exchange.ts";
import { headerOf } from "../../protocols/message-header.ts";
import type { Tensor } from "../../protocols/tensor.ts";
import type { PlannedVersion, ReplicaPlan } from "../../schema/deployment.ts";
import { ServiceError } from "../../schema/errors.ts";
import { Capture, type ScoredRequest } from "./capture.ts";
import { chooseVersion, pointOf } from "./choose-version.ts";
import { countRequest, emptyCounts, type ScoringCounts, type ScoringProtocol } from "./counts.ts";
import { newRecordId } from "./record-id.ts";
import type { ReplicaLog } from "./replica-log.ts";
import { readCall, type ScoringCall, type WrittenAnswer } from "./scoring-call.ts";
import { countsOf, ServedVersion } from "./served-version.ts";
import { Shadow } from "./shadow.ts";
import { writeError } from "./wire-errors.ts";

/** What is answered to a scoring request. */
export interface ScoredAnswer extends WrittenAnswer {
  readonly status: number;
  readonly recordId: string;
}

/** An id that can go into a header and a column as it is. */
const PLAIN_ID = /^[\x21-\x7e]{1,128}$/;
/** By which a caller keeps to one version: a customer's number, say. */
const ROUTING_KEY = "x-leeway-routing-key";
const ID_HEADERS = ["x-request-id", "ce-id", "x-amzn-sagemaker-inference-id"] as const;

/** The versions of a plan, loaded: it chooses one per request, runs it, and has it captured and shadowed. */
export class Scorer {
  readonly plan: ReplicaPlan;
  readonly #versions: ReadonlyMap<string, ServedVersion>;
  readonly #capture: Capture | undefined;
  readonly #shadow: Shadow | undefined;
  readonly #unrouted = emptyCounts();
  #weights: readonly { readonly version: string; readonly weight: number }[];
  #inFlight = 0;

  private constructor(
    plan: ReplicaPlan,
    versions: ReadonlyMap<string, ServedVersion>,
    parts: { readonly capture: Capture | undefined; readonly shadow: Shadow | undefined },
  ) {
    this.plan = plan;
    this.#versions = versions;
    this.#weights = plan.versions;
    this.#capture = parts.capture;
    this.#shadow = parts.shadow;
  }

  /** Loads and checks all versions. @throws ServiceError `unavailable` with the reason of the first that cannot be served. */
  static async load(plan: ReplicaPlan, threads: number, log: ReplicaLog): Promise<Scorer> {
    const versions = new Map<string, ServedVersion>();
    const load = async (planned: PlannedVersion) =>
      versions.get(planned.version) ??
      (await ServedVersion.load(planned, {
        threads,
        limits: plan.limits,
        microBatching: plan.micro_batching,
      }));
    for (const planned of plan.versions) versions.set(planned.version, await load(planned));
    const shadow = plan.shadow && new Shadow(await load(plan.shadow.version), plan.shadow.fraction);
    const { capture } = plan;
    return new Scorer(plan, versions, {
      capture: capture && new Capture({ ...plan, capture }, log),
      shadow,
    });
  }

  /** The version of that name; the one with the largest weight when none is given. @throws ServiceError `not-found`. */
  version(name?: string): ServedVersion {
    const wanted =
      name ?? this.#weights.reduce((best, each) => (each.weight > best.weight ? each : best)).version;
    const found = this.#versions.get(wanted);
    if (found) return found;
    throw new ServiceError(
      "not-found",
      `version ${wanted.slice(0, 60)} is not served here: there are ${[...this.#versions.keys()].join(", ")}`,
    );
  }

  /**
   * The version that TensorFlow Serving's usual labels stand for: `stable` is the one with the largest share of the calls,
   * `canary` the other one with the largest.
   *
   * @throws ServiceError `not-found`.
   */
  labelled(label: string): ServedVersion {
    const [stable, canary] = this.#weights.toSorted((a, b) => b.weight - a.weight);
    const found = label === "stable" ? stable : label === "canary" ? canary : undefined;
    if (found) return this.version(found.version);
    throw new ServiceError(
      "not-found",
      `label "${label.slice(0, 60)}" stands for no version here: there is stable${canary ? ", and canary" : ""}`,
    );
  }

  get versions(): readonly ServedVersion[] {
    return [...this.#versions.values()];
  }

  get weights(): readonly { readonly version: string; readonly weight: number }[] {
    return this.#weights;
  }

  /** Takes a version out of the choice, its share going to the others: a canary that does harm. */
  withdraw(version: string): void {
    const left = this.#weights.filter((each) => each.version !== version);
    const sum = left.reduce((all, { weight }) => all + weight, 0);
    if (sum > 0) this.#weights = left.map((each) => ({ ...each, weight: (each.weight * 100) / sum }));
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  get counts(): ScoringCounts {
    const counts = countsOf(this.#versions.values());
    return Object.keys(this.#unrouted.requests).length > 0 ? { ...counts, "": this.#unrouted } : counts;
  }

  get captureStats() {
    return this.#capture?.stats;
  }

  get shadowStats() {
    return this.#shadow?.stats;
  }

  /**
   * Scores a request to its answer, which is an error in the protocol's own form when it cannot be scored: at once where
   * the model is run on this thread.
   */
  score(
    protocol: ScoringProtocol,
    message: Message,
    asked: {
      readonly version: string | undefined;
      readonly label: string | undefined;
      readonly recordId: string;
    },
  ): ScoredAnswer | Promise<ScoredAnswer> {
    const turn: Turn = {
      protocol,
      headers: message.headers,
      started: performance.now(),
      recordId: asked.recordId,
      version: undefined,
      call: undefined,
    };
    const { limits } = this.plan;
    try {
      turn.version =
        asked.label === undefined
          ? this.version(asked.version ?? this.#choose(message.headers, asked.recordId))
          : this.labelled(asked.label);
      const { signature, processing } = turn.version;
      const call = readCall(protocol, message, { signature, processing, limits });
      turn.call = call;
      if (turn.recordId === "")
        turn.recordId = call.id !== undefined && PLAIN_ID.test(call.id) ? call.id : newRecordId();
      if (this.#inFlight >= limits.max_in_flight)
        throw new ServiceError(
          "unavailable",
          `${limits.max_in_flight} requests are under way, which is the most`,
          { retryAfterSeconds: 1 },
        );
      const outputs = turn.version.run(call.runs, call.rows);
      if (!(outputs instanceof Promise)) return this.#answer(turn, outputs);
      this.#inFlight += 1;
      return outputs
        .then(
          (found) => this.#answer(turn, found),
          (error: unknown) => this.#refuse(turn, error),
        )
        .finally(() => {
          this.#inFlight -= 1;
        });
    } catch (error) {
      return this.#refuse(turn, error);
    }
  }

  #answer(turn: Turn, outputs: readonly Tensor[]): ScoredAnswer {
    const { call, version } = turn;
    if (!call || !version) throw new TypeError("a request is answered before it is read");
    let written: WrittenAnswer;
    try {
      written = call.write(outputs, { model: this.plan.model, version: version.version });
    } catch (error) {
      return this.#refuse(turn, error);
    }
    return this.#done(turn, { status: 200, headers: written.headers, body: written.body }, outputs);
  }

  #refuse(turn: Turn, error: unknown): ScoredAnswer {
    if (turn.recordId === "") turn.recordId = newRecordId();
    return this.#done(turn, writeError(error, turn.protocol), NONE);
  }

  #done(turn: Turn, answer: Omit<ScoredAnswer, "recordId">, outputs: readonly Tensor[]): ScoredAnswer {
    const { version, call, protocol, recordId } = turn;
    const { status, headers, body } = answer;
    const latencyMs = performance.now() - turn.started;
    countRequest(version?.counts ?? this.#unrouted, { protocol, status, seconds: latencyMs / 1000 });
    if (version && call && (status === 200 || status >= 500))
      this.#after(call, { turn, version, outputs, status, latencyMs });
    return { status, headers, body, recordId };
  }

  /** The caller's id by the headers; "" where the body may hold it, or none does. */
  static recordIdOf(headers: MessageHeaders): string {
    for (const name of ID_HEADERS) {
      const value = headers[name];
      if (typeof value === "string" && PLAIN_ID.test(value)) return value;
    }
    return "";
  }

  async close(graceMs: number): Promise<void> {
    await this.#shadow?.settled();
    await this.#capture?.close(graceMs);
    const loaded = new Set([...this.#versions.values(), ...(this.#shadow ? [this.#shadow.version] : [])]);
    for (const version of loaded) await version.close();
  }

  #choose(headers: MessageHeaders, recordId: string): string {
    const [only] = this.#weights;
    if (this.#weights.length === 1 && only) return only.version;
    const key = headerOf(headers, ROUTING_KEY) ?? recordId;
    const point = key === "" ? Math.random() : pointOf(`${this.plan.deployment}:${key}`);
    return chooseVersion(this.#weights, point).version;
  }

  /** What the caller does not wait for. */
  #after(
    call: ScoringCall,
    {
      turn,
      version,
      outputs,
      status,
      latencyMs,
    }: { readonly turn: Turn } & Pick<ScoredRequest, "version" | "outputs" | "status" | "latencyMs">,
  ): void {
    const { recordId } = turn;
    const capture = this.#capture?.wants(recordId, status) ? this.#capture : undefined;
    const shadow = status === 200 && this.#shadow?.wants(recordId) ? this.#shadow : undefined;
    if (!capture && !shadow) return;
    const now = Date.now();
    const time = capture?.timeOf(turn.headers, now) ?? now;
    const { rows } = call;
    const inputs = inputsOf(call);
    const request = { recordId, version, inputs, outputs, rows, status, latencyMs, time };
    if (!shadow) {
      capture?.take(request);
      return;
    }
    void shadow.score(call, outputs).then((answered) => {
      capture?.take(
        answered ? { ...request, shadow: { version: shadow.version, outputs: answered } } : request,
      );
    });
  }
}

/** A request on its way. */
interface Turn {
  readonly protocol: ScoringProtocol;
  readonly headers: MessageHeaders;
  readonly started: number;
  recordId: string;
  version: ServedVersion | undefined;
  call: ScoringCall | undefined;
}

const NONE: readonly Tensor[] = [];

/** The inputs of a request as one list of tensors; of a model without a batch, those of all its runs put together. */
function inputsOf({ runs }: ScoringCall): readonly Tensor[] {
  const [first = []] = runs;
  if (runs.length === 1) return first;
  return first.map((tensor, at): Tensor => {
    const inner = tensor.shape[0] === 1 ? tensor.shape.slice(1) : tensor.shape;
    const values = runs.flatMap((inputs) => Array.from(inputs[at]?.values ?? []));
    return { ...tensor, shape: [runs.length, ...inner], values };
  });
}
