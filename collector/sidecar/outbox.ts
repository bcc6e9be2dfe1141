import type { Batch } from "./batch.ts";
import type { Counters } from "./counters.ts";
import type { PostOutcome } from "./post-batch.ts";
import type { Segment, Spool } from "./spool.ts";

const SENDERS = 4;
const FIRST_WAIT_MS = 200;
const LONGEST_WAIT_MS = 10_000;

const WHY_DROPPED = {
  spool_full: "the spool has reached its limit, and memory is full",
  spool_failed: "the spool cannot be written, and memory is full",
  no_spool: "there is no spool, and memory is full",
} as const;

export interface OutboxOptions {
  readonly post: (batch: Batch) => Promise<PostOutcome>;
  readonly spool: Spool | undefined;
  readonly memoryBytes: number;
  readonly counters: Counters;
  readonly log: (level: "info" | "warn", message: string, fields?: Readonly<Record<string, unknown>>) => void;
  /** In [0, 1), so that sidecars do not come back all at once. */
  readonly random: () => number;
}

type Waiting =
  | { readonly batch: Batch; readonly segment: undefined }
  | { readonly batch: Batch; readonly segment: Segment };

/**
 * Batches on their way to the collector. While it takes them they wait in memory; as soon as it does not, or memory is
 * full, they go to disk; when that is full too the newest are dropped, and counted.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #memory: Batch[] = [];
  #memoryBytes = 0;
  #memoryRecords = 0;
  readonly #sending = new Set<Waiting>();
  /** Files that could not be read, until the timer ends. */
  readonly #aside: Segment[] = [];
  #asideTimer: NodeJS.Timeout | undefined;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Drops are told once per outage, and counted all. */
  #drops: "untold" | "told" = "untold";
  #onIdle: (() => void) | undefined;
  #onFailure: (() => void) | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
    const { spool, counters } = options;
    if (spool && spool.records > 0) {
      counters.add("recovered_records", spool.records);
      options.log("info", "an earlier process left records, which are sent first", {
        records: spool.records,
      });
    }
    this.#show();
    this.#pump();
  }

  add(batch: Batch): void {
    if (this.#failures > 0) this.#toDisk(batch);
    else if (this.#fits(batch)) this.#hold(batch);
    else this.#toDisk(batch);
    this.#pump();
    this.#show();
  }

  /** Waits until all is sent, but no longer than `graceMs`; what is left then goes to disk, or is dropped and counted. */
  async drain(graceMs: number): Promise<void> {
    const { spool, counters } = this.#options;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await new Promise<void>((resolve) => {
      const deadline = setTimeout(resolve, graceMs);
      this.#onIdle = () => {
        const aside = this.#aside.reduce((sum, { records }) => sum + records, 0);
        if (this.#sending.size > 0 || this.#memory.length > 0 || (spool?.records ?? 0) > aside) return;
        clearTimeout(deadline);
        resolve();
      };
      // With a spool there is no need to wait for a collector that does not answer.
      if (spool) {
        this.#onFailure = () => {
          clearTimeout(deadline);
          resolve();
        };
      }
      this.#pump();
    });
    clearTimeout(this.#timer);
    clearTimeout(this.#asideTimer);
    // Whether the batches under way arrive will not be learnt here, and one too many is a duplicate.
    for (const { batch, segment } of this.#sending) if (!segment) this.#memory.push(batch);
    this.#spill();
    const reason = spool ? "dropped_records_spool_failed" : "dropped_records_no_spool";
    counters.add(reason, this.#memoryRecords);
    this.#memory.length = 0;
    this.#memoryRecords = 0;
    this.#show();
  }

  #fits({ body }: Batch): boolean {
    return this.#memoryBytes + body.length <= this.#options.memoryBytes;
  }

  #hold(batch: Batch): void {
    this.#memory.push(batch);
    this.#memoryBytes += batch.body.length;
    this.#memoryRecords += batch.records;
  }

  #toDisk(batch: Batch): void {
    const written = this.#options.spool?.write(batch) ?? "none";
    if (written === "written") return;
    if (this.#fits(batch)) {
      this.#hold(batch);
      return;
    }
    this.#drop(batch, written === "full" ? "spool_full" : written === "failed" ? "spool_failed" : "no_spool");
  }

  #drop({ records }: Batch, reason: keyof typeof WHY_DROPPED): void {
    const { counters, log } = this.#options;
    counters.add(`dropped_records_${reason}`, records);
    if (this.#drops === "told") return;
    this.#drops = "told";
    log("warn", "records are dropped until the collector takes some", { why: WHY_DROPPED[reason] });
  }

  /** Moves what waits in memory to disk: a collector that is gone may stay away, and this process may be killed. */
  #spill(): void {
    if (!this.#options.spool) return;
    for (const batch of this.#memory.splice(0)) {
      this.#release(batch);
      this.#toDisk(batch);
    }
  }

  #pump(): void {
    const most = this.#failures > 0 ? 1 : SENDERS;
    while (this.#sending.size < most && !this.#timer) {
      const next = this.#next();
      if (!next) break;
      this.#sending.add(next);
      void this.#send(next);
    }
    this.#onIdle?.();
  }

  #next(): Waiting | undefined {
    const { spool } = this.#options;
    for (let segment = spool?.take(); spool && segment; segment = spool.take()) {
      const body = spool.read(segment);
      if (body === "unreadable") this.#setAside(spool, segment);
      else if (body === "gone") spool.remove(segment);
      else return { batch: { ...segment, body }, segment };
    }
    const batch = this.#memory.shift();
    return batch && { batch, segment: undefined };
  }

  /** What cannot be read for now keeps nothing else back, and is tried again later. */
  #setAside(spool: Spool, segment: Segment): void {
    this.#aside.push(segment);
    if (this.#asideTimer) return;
    const { log } = this.#options;
    log("warn", "a file of the spool cannot be read: it stays, and is tried again", { file: segment.file });
    this.#asideTimer = setTimeout(() => {
      this.#asideTimer = undefined;
      for (const each of this.#aside.splice(0).reverse()) spool.putBack(each);
      this.#pump();
    }, LONGEST_WAIT_MS);
  }

  async #send(waiting: Waiting): Promise<void> {
    const result = await this.#options.post(waiting.batch);
    this.#sending.delete(waiting);
    if (result.outcome === "failed") this.#failed(waiting, result);
    else this.#done(waiting, result);
    this.#show();
    this.#pump();
  }

  #done({ batch, segment }: Waiting, result: Exclude<PostOutcome, { outcome: "failed" }>): void {
    const { counters, log, spool } = this.#options;
    if (segment) spool?.remove(segment);
    else this.#release(batch);
    if (this.#failures > 0) log("info", "the collector answers again", { after_failures: this.#failures });
    this.#failures = 0;
    this.#drops = "untold";
    if (result.outcome === "refused") {
      counters.add("sent_records_rejected", batch.records);
      log("warn", "the collector will not take a batch, which is lost", {
        records: batch.records,
        why: result.why,
      });
      return;
    }
    counters.add("sent_records_stored", result.stored);
    counters.add("sent_records_duplicate", result.duplicates);
    counters.add("sent_records_rejected", result.rejected);
    counters.add("sent_records_sampled_out", result.sampledOut);
    if (result.rejected > 0)
      log("warn", "the collector rejected records", { records: result.rejected, why: result.why });
  }

  #failed(
    { batch, segment }: Waiting,
    { why, retryAfterMs }: Extract<PostOutcome, { outcome: "failed" }>,
  ): void {
    const { counters, log, random, spool } = this.#options;
    counters.add("send_failures");
    if (!this.#timer) this.#failures += 1; // those under way at the same time fail for the same reason
    if (this.#failures === 1) {
      log("warn", "the collector does not take records: they wait", {
        why,
        where: spool ? "on disk" : "in memory",
      });
    }
    if (segment) spool?.putBack(segment);
    else this.#memory.unshift(batch);
    this.#spill();
    const backOffMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(this.#failures - 1, 10));
    const waitMs =
      retryAfterMs === undefined ? backOffMs * (0.5 + random() / 2) : Math.min(retryAfterMs, LONGEST_WAIT_MS);
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#pump();
    }, waitMs);
    this.#onFailure?.();
  }

  #release({ body, records }: Batch): void {
    this.#memoryBytes -= body.length;
    this.#memoryRecords -= records;
  }

  #show(): void {
    const { counters, spool } = this.#options;
    counters.set("waiting_records", this.#memoryRecords);
    counters.set("waiting_bytes", this.#memoryBytes);
    counters.set("spooled_records", spool?.records ?? 0);
    counters.set("spooled_bytes", spool?.bytes ?? 0);
    const times = [
      spool?.oldestMs,
      this.#memory[0]?.timeMs,
      ...[...this.#sending].map(({ batch }) => batch.timeMs),
    ];
    const known = times.filter((time) => time !== undefined);
    counters.set("oldest_waiting_ms", known.length === 0 ? 0 : Math.min(...known));
  }
}
