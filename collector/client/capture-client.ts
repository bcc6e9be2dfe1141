import { once } from "node:events";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { uuidv7 } from "uuidv7";
import { writeJson } from "../../protocols/json.ts";
import { isTooDense } from "../sidecar/batch.ts";
import { Counters } from "../sidecar/counters.ts";
import { Outbox } from "../sidecar/outbox.ts";
import { batchPoster } from "../sidecar/post-batch.ts";
import { failedId } from "../sidecar/record-id.ts";
import { isSampled } from "../sidecar/sampling.ts";
import { Spool } from "../sidecar/spool.ts";
import { LineBuffer } from "./line-buffer.ts";
import { type CapturedRecord, type CaptureOptions, type CaptureStats, captureDefaults } from "./options.ts";

const compress = promisify(gzip);
/** A heavier weight than its inverse is not taken. */
const LEAST_SAMPLE = 1e-6;
/** How often `flush` looks whether all is sent. */
const LOOK_EVERY_MS = 20;
const DROPPED = [
  "dropped_records_no_spool",
  "dropped_records_spool_full",
  "dropped_records_spool_failed",
] as const;

/**
 * Sends what a scoring service was asked and answered to Leeway, beside the scoring: `capture` only writes the record
 * down. Records go in batches, compressed, again until they are taken; their ids are settled at capture, so that one
 * that was sent twice is stored once. What waits is bounded: beyond it records go to disk when there is a folder for
 * them, else they are dropped and counted.
 *
 * @example
 * const leeway = new CaptureClient({ collector: "http://127.0.0.1:8420", model: "churn" });
 * leeway.capture({ inputs: { age: 42, plan: "gold" }, outputs: { score: 0.7 } });
 * await leeway.close();
 */
export class CaptureClient {
  readonly #options: CaptureOptions & typeof captureDefaults;
  readonly #counters = new Counters();
  readonly #outbox: Outbox;
  #lines = new LineBuffer();
  #gatheredSince = 0;
  #packing = { bytes: 0, records: 0 };
  #captured = 0;
  #dropped = 0;
  #sampledOut = 0;
  #batch = 0;
  #state: "open" | "closed" | "ended" = "open";

  /** @throws TypeError when `collector` is no address; RangeError when `sample` is no share. */
  constructor(options: CaptureOptions) {
    this.#options = { ...captureDefaults, ...options };
    const { sample } = this.#options;
    if (!(sample >= LEAST_SAMPLE && sample <= 1)) {
      throw new RangeError(`sample ${sample} is not between ${LEAST_SAMPLE} and 1`);
    }
    const { collector, apiKey, model, memoryBytes, log } = this.#options;
    const post = batchPoster({ collector, apiKey, model });
    this.#outbox = new Outbox({
      post: async (batch) => {
        const outcome = await post(batch);
        // What was under way at the end is on disk or counted: nothing more is to be done with it.
        return this.#state === "ended" ? new Promise(() => undefined) : outcome;
      },
      spool: this.#openSpool(),
      memoryBytes,
      counters: this.#counters,
      log,
      random: Math.random,
    });
  }

  /**
   * Takes a record. It never throws and never waits: a record that cannot be written as JSON or finds no room is counted
   * as dropped.
   *
   * @returns The record's id, to send its label by; undefined when it was dropped. That of a failed call has an addition to
   *   the id that was given, so that the next attempt can have that one.
   */
  capture(record: CapturedRecord): string | undefined {
    this.#captured += 1;
    try {
      const now = this.#options.now();
      const { version, deployment, sample } = this.#options;
      const failed = (record.status ?? 0) >= 400;
      const given = String(record.id ?? uuidv7());
      const id = failed && record.id !== undefined ? failedId(given, uuidv7()) : given;
      const kept = failed ? 1 : sample;
      if (!isSampled(id, kept)) {
        this.#sampledOut += 1;
        return id;
      }
      const weight = kept === 1 ? record.weight : (record.weight ?? 1) / kept;
      const time = timeText(record.time ?? now);
      const text = textOf({ version, deployment, ...record, id, time, weight });
      if (this.#state === "open" && this.#heldBytes + text.length <= this.#options.memoryBytes) {
        this.#gather(text);
        return id;
      }
    } catch {
      // The caller is busy scoring: the count tells.
    }
    this.#dropped += 1;
    return undefined;
  }

  /**
   * As `capture`, for a record that is written as JSON already, with all it is to hold, and that is in the sample: what
   * counts microseconds writes its records itself.
   */
  captureWritten(text: string): "taken" | "dropped" {
    this.#captured += 1;
    if (this.#state === "open" && this.#heldBytes + text.length <= this.#options.memoryBytes) {
      this.#gather(text);
      return "taken";
    }
    this.#dropped += 1;
    return "dropped";
  }

  /** Waits until all that was captured is with Leeway, but no longer than `graceMs`; nothing is dropped then. */
  async flush(graceMs = 10_000): Promise<"sent" | "waiting"> {
    const deadline = performance.now() + graceMs;
    this.#send();
    while (this.stats.waiting > 0) {
      if (performance.now() > deadline) return "waiting";
      await pause(LOOK_EVERY_MS);
    }
    return "sent";
  }

  /** Sends what there is, in about `graceMs`; what is left then goes to disk, or is dropped and counted. */
  async close(graceMs = 10_000): Promise<CaptureStats> {
    this.#state = "closed";
    this.#send();
    while (this.#packing.records > 0) await pause(LOOK_EVERY_MS);
    await this.#outbox.drain(graceMs);
    this.#state = "ended";
    return this.stats;
  }

  /** captured + recovered = sampledOut + stored + duplicates + rejected + dropped + waiting */
  get stats(): CaptureStats {
    const of = (...names: Parameters<Counters["get"]>[0][]) =>
      names.reduce((sum, name) => sum + this.#counters.get(name), 0);
    return {
      captured: this.#captured,
      sampledOut: this.#sampledOut + of("sent_records_sampled_out"),
      recovered: of("recovered_records"),
      stored: of("sent_records_stored"),
      duplicates: of("sent_records_duplicate"),
      rejected: of("sent_records_rejected"),
      dropped: this.#dropped + of(...DROPPED),
      waiting: this.#lines.count + this.#packing.records + of("waiting_records", "spooled_records"),
      spooled: of("spooled_records"),
      failures: of("send_failures"),
    };
  }

  get #heldBytes(): number {
    return this.#lines.bytes + this.#packing.bytes + this.#counters.get("waiting_bytes");
  }

  #gather(text: string): void {
    if (this.#lines.count === 0) {
      this.#gatheredSince = this.#options.now().getTime();
      const batch = ++this.#batch;
      AbortSignal.timeout(this.#options.batchMs).addEventListener("abort", () => {
        if (batch === this.#batch) this.#send(); // else it went when it was full
      });
    }
    this.#lines.add(text);
    if (this.#lines.bytes >= this.#options.batchBytes) this.#send();
  }

  #send(): void {
    const { count: records, bytes } = this.#lines;
    if (records === 0) return;
    const timeMs = this.#gatheredSince;
    const lines = this.#lines.take();
    this.#batch += 1;
    this.#packing.bytes += bytes;
    this.#packing.records += records;
    void (this.#options.compress === "none" ? Promise.resolve(lines) : compress(lines, { level: 1 }))
      .then((packed) => {
        const plain = packed === lines || isTooDense(lines, packed);
        const encoding = plain ? "identity" : "gzip";
        this.#outbox.add({ body: plain ? lines : packed, encoding, records, timeMs });
      })
      .catch(() => {
        this.#dropped += records;
      })
      .finally(() => {
        this.#packing.bytes -= bytes;
        this.#packing.records -= records;
      });
  }

  /** Without its folder the client does all else: scoring must not fail for it. */
  #openSpool(): Spool | undefined {
    const { spoolDir, spoolBytes, model, log } = this.#options;
    if (spoolDir === undefined) return undefined;
    try {
      return Spool.open(join(spoolDir, model), spoolBytes);
    } catch (error) {
      log("warn", "the spool folder cannot be used: what does not fit in memory will be dropped", {
        why: (error as Error).message,
      });
      return undefined;
    }
  }
}

function textOf(record: Readonly<Record<string, unknown>>): string {
  try {
    return JSON.stringify(record);
  } catch {
    return writeJson(plain(record)); // a whole number beyond 2^53; anything else throws again
  }
}

/** What `JSON.stringify` would make of a value, but for a `bigint`. */
function plain(value: unknown): Parameters<typeof writeJson>[0] {
  if (typeof value === "bigint" || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : null;
  if (value === null || typeof value !== "object") return null;
  if (value instanceof Date) return value.toJSON();
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, item === undefined ? undefined : plain(item)]),
  );
}

function timeText(time: Date | string | number): string {
  return typeof time === "string" ? time : new Date(time).toISOString();
}

/** Does not keep the process alive: what is under way does. */
async function pause(ms: number): Promise<void> {
  await once(AbortSignal.timeout(ms), "abort");
}
