import { readFileSync } from "node:fs";
import { CaptureClient } from "../../collector/client/capture-client.ts";
import type { CaptureStats } from "../../collector/client/options.ts";
import type { Tensor } from "../../protocols/tensor.ts";
import type { ReplicaPlan } from "../../schema/deployment.ts";
import { captureRows } from "./capture-rows.ts";
import { pointOf } from "./choose-version.ts";
import type { ReplicaLog } from "./replica-log.ts";
import type { ServedVersion } from "./served-version.ts";

/** What waits for the collector; beyond it records are dropped and counted. */
const MEMORY_BYTES = 16 * 1024 * 1024;

/** A scored request to be collected. */
export interface ScoredRequest {
  readonly recordId: string;
  readonly version: ServedVersion;
  readonly inputs: readonly Tensor[];
  /** None for one that the model failed at. */
  readonly outputs: readonly Tensor[];
  readonly rows: number;
  readonly status: number;
  readonly latencyMs: number;
  readonly time: number;
  /** What a shadow version answered to the same. */
  readonly shadow?: { readonly version: ServedVersion; readonly outputs: readonly Tensor[] } | undefined;
}

/** Sends scored instances to the collector, beside the scoring: what it costs a request is to write its rows down. */
export class Capture {
  readonly #client: CaptureClient;
  readonly #sample: number;
  readonly #log: ReplicaLog;
  #unreadable = 0;

  constructor(
    plan: ReplicaPlan & { readonly capture: NonNullable<ReplicaPlan["capture"]> },
    log: ReplicaLog,
  ) {
    const { collector, sample, api_key_file } = plan.capture;
    this.#sample = sample;
    this.#log = log;
    this.#client = new CaptureClient({
      collector,
      model: plan.model,
      deployment: plan.deployment,
      apiKey: api_key_file === undefined ? undefined : readFileSync(api_key_file, "utf8").trim(),
      memoryBytes: MEMORY_BYTES,
      log: (level, message, fields) => log(level, message, fields),
    });
  }

  /** Whether a request is in the sample, by its id; one that failed is always. */
  wants(recordId: string, status: number): boolean {
    return status >= 400 || this.#sample >= 1 || pointOf(`sample:${recordId}`) < this.#sample;
  }

  take(scored: ScoredRequest): void {
    try {
      const { recordId, version, rows, status, latencyMs, time } = scored;
      const { signature } = version;
      const found = captureRows(scored.inputs, scored.outputs, rows, signature);
      const shadow =
        scored.shadow && captureRows([], scored.shadow.outputs, rows, scored.shadow.version.signature);
      const weight = status >= 400 || this.#sample >= 1 ? undefined : 1 / this.#sample;
      const at = new Date(time).toISOString();
      for (let row = 0; row < rows; row++) {
        const { inputs, outputs } = found[row] ?? { inputs: {}, outputs: {} };
        const other = shadow?.[row]?.outputs;
        this.#client.capture({
          id: recordId,
          ...(rows > 1 ? { row } : {}),
          time: at,
          version: version.version,
          inputs,
          outputs:
            other && scored.shadow
              ? { ...outputs, ...shadowed(other, scored.shadow.version.version) }
              : outputs,
          status,
          latency_ms: latencyMs,
          ...(weight === undefined ? {} : { weight }),
        });
      }
    } catch (error) {
      this.#unreadable += 1;
      if (this.#unreadable === 1)
        this.#log("warn", "a scored request could not be recorded", { why: (error as Error).message });
    }
  }

  get stats(): CaptureStats & { readonly unreadable: number } {
    return { ...this.#client.stats, unreadable: this.#unreadable };
  }

  async close(graceMs: number): Promise<void> {
    await this.#client.close(graceMs);
  }
}

/** The shadow's answers beside those that were given, so that one query compares them. */
function shadowed(outputs: Readonly<Record<string, unknown>>, version: string): Record<string, unknown> {
  const named = Object.entries(outputs).map(([name, value]) => [`shadow_${name}`, value]);
  return { ...Object.fromEntries(named), shadow_version: version };
}
