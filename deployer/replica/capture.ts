import { readFileSync } from "node:fs";
import { CaptureClient } from "../../collector/client/capture-client.ts";
import type { CaptureOptions, CaptureStats } from "../../collector/client/options.ts";
import type { MessageHeaders } from "../../protocols/exchange.ts";
import { headerOf } from "../../protocols/message-header.ts";
import type { Tensor } from "../../protocols/tensor.ts";
import type { ReplicaPlan } from "../../schema/deployment.ts";
import { timeText } from "../../schema/record.ts";
import { captureRows } from "./capture-rows.ts";
import { pointOf } from "./choose-version.ts";
import { ownSpool, takeLeftovers } from "./leftover-records.ts";
import type { ReplicaLog } from "./replica-log.ts";
import type { ServedVersion } from "./served-version.ts";
import { RecordWriter } from "./write-record.ts";

const LEFTOVERS_EVERY_MS = 10_000;
/** What waits for the collector; beyond it records go to disk where the plan names a folder, else they are dropped and counted. */
const MEMORY_BYTES = 16 * 1024 * 1024;
/** Of JSON in one request: a quarter of what records cost is to send them, in batches of a quarter of this. */
const BATCH_BYTES = 512 * 1024;

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
  readonly #time: "call" | "ce-time";
  readonly #spoolDir: string | undefined;
  readonly #clientOptions: CaptureOptions;
  readonly #leftovers: NodeJS.Timeout | undefined;
  readonly #log: ReplicaLog;
  readonly #deployment: string;
  readonly #writers = new WeakMap<ServedVersion, { readonly writer: RecordWriter; readonly head: string }>();
  #clock = { time: Number.NaN, text: "" };
  #unreadable = 0;
  #taken: ScoredRequest[] = [];

  constructor(
    plan: ReplicaPlan & { readonly capture: NonNullable<ReplicaPlan["capture"]> },
    log: ReplicaLog,
  ) {
    const { collector, sample, batch_ms, time, api_key_file, spool_dir } = plan.capture;
    this.#sample = sample;
    this.#time = time;
    this.#log = log;
    this.#deployment = plan.deployment;
    this.#spoolDir = spool_dir;
    this.#clientOptions = {
      collector,
      model: plan.model,
      deployment: plan.deployment,
      apiKey: api_key_file === undefined ? undefined : readFileSync(api_key_file, "utf8").trim(),
      memoryBytes: MEMORY_BYTES,
      batchBytes: BATCH_BYTES,
      batchMs: batch_ms,
      compress: isLoopback(collector) ? "none" : "gzip",
      log: (level, message, fields) => log(level, message, fields),
    };
    this.#client = new CaptureClient({
      ...this.#clientOptions,
      ...(spool_dir === undefined ? {} : { spoolDir: ownSpool(spool_dir) }),
    });
    if (spool_dir === undefined) return;
    void this.#sendLeftovers();
    this.#leftovers = setInterval(() => void this.#sendLeftovers(), LEFTOVERS_EVERY_MS);
    this.#leftovers.unref();
  }

  /** Whether a request is in the sample, by its id; one that failed is always. */
  wants(recordId: string, status: number): boolean {
    return status >= 400 || this.#sample >= 1 || pointOf(`sample:${recordId}`) < this.#sample;
  }

  /** The time of a call's records: now, or what the caller says where the plan lets him. */
  timeOf(headers: MessageHeaders, now: number): number {
    if (this.#time === "call") return now;
    const said = timeText.safeParse(headerOf(headers, "ce-time"));
    return said.success ? Date.parse(said.data) : now;
  }

  /** Writes it down with the others of this turn of the event loop, when they have been answered. */
  take(scored: ScoredRequest): void {
    if (this.#taken.push(scored) === 1) setImmediate(() => this.#writeTaken());
  }

  #writeTaken(): void {
    const taken = this.#taken;
    this.#taken = [];
    for (const scored of taken) this.#write(scored);
  }

  #write(scored: ScoredRequest): void {
    try {
      if (this.#takeWritten(scored) === "taken") return;
      const { recordId, version, rows, status, latencyMs, time } = scored;
      const { signature } = version;
      const found = captureRows(scored.inputs, scored.outputs, rows, signature);
      const shadow =
        scored.shadow && captureRows([], scored.shadow.outputs, rows, scored.shadow.version.signature);
      const weight = status >= 400 || this.#sample >= 1 ? undefined : 1 / this.#sample;
      const at = this.#timeText(time);
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

  /** The usual request: written as text at once, which takes a fraction of the time. */
  #takeWritten(scored: ScoredRequest): "taken" | "another-way" {
    const { recordId, version, inputs, outputs, rows, status, latencyMs, time, shadow } = scored;
    if (shadow || status !== 200) return "another-way";
    const { writer, head: start } = this.#writerOf(version);
    const weight = this.#sample >= 1 ? "" : `,"weight":${1 / this.#sample}`;
    const head = `${start}${JSON.stringify(recordId)}`;
    const tail = `,"status":200,"latency_ms":${Math.round(latencyMs * 1000) / 1000},"time":"${this.#timeText(time)}"${weight}}`;
    let first = "";
    const texts: string[] = [];
    for (let row = 0; row < rows; row++) {
      const asked = writer.inputs(inputs, row, rows);
      const answered = asked === undefined ? undefined : writer.outputs(outputs, row, rows);
      if (answered === undefined) return "another-way";
      const text = `${head}${rows > 1 ? `,"row":${row}` : ""},"inputs":${asked},"outputs":${answered}${tail}`;
      if (row === 0) first = text;
      else texts.push(text);
    }
    if (rows > 0) this.#client.captureWritten(first);
    for (const text of texts) this.#client.captureWritten(text);
    return "taken";
  }

  #writerOf(version: ServedVersion): { readonly writer: RecordWriter; readonly head: string } {
    const known = this.#writers.get(version);
    if (known) return known;
    const head = `{"version":${JSON.stringify(version.version)},"deployment":${JSON.stringify(this.#deployment)},"id":`;
    const made = { writer: new RecordWriter(version.signature), head };
    this.#writers.set(version, made);
    return made;
  }

  /** Many calls come in one millisecond. */
  #timeText(time: number): string {
    if (time !== this.#clock.time) this.#clock = { time, text: new Date(time).toISOString() };
    return this.#clock.text;
  }

  get stats(): CaptureStats & { readonly unreadable: number } {
    return { ...this.#client.stats, unreadable: this.#unreadable };
  }

  /** Sends what replicas that have ended had no time to send. What is not taken now stays on disk for the next time. */
  async #sendLeftovers(): Promise<void> {
    for (const spoolDir of takeLeftovers(this.#spoolDir ?? "")) {
      const client = new CaptureClient({ ...this.#clientOptions, spoolDir });
      const { recovered, stored, duplicates } = await client.close(LEFTOVERS_EVERY_MS);
      this.#log("info", "records of a replica that has ended were sent", { recovered, stored, duplicates });
    }
  }

  async close(graceMs: number): Promise<void> {
    clearInterval(this.#leftovers);
    this.#writeTaken();
    await this.#client.close(graceMs);
  }
}

function isLoopback(url: string): boolean {
  return /^(?:localhost|127(?:\.\d+){3}|\[::1\])$/.test(new URL(url).hostname);
}

/** The shadow's answers beside those that were given, so that one query compares them. */
function shadowed(outputs: Readonly<Record<string, unknown>>, version: string): Record<string, unknown> {
  const named = Object.entries(outputs).map(([name, value]) => [`shadow_${name}`, value]);
  return { ...Object.fromEntries(named), shadow_version: version };
}
