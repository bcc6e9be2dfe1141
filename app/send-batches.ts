import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { createGunzip } from "node:zlib";
import { ServiceError } from "../schema/errors.ts";
import type { CaptureAnswer, IngestAnswer } from "../schema/record.ts";
import { AnsweredError, type ApiClient, UnreachableError } from "./api-client.ts";

const BATCH_RECORDS = 5_000;
const BATCH_BYTES = 4 * 1024 * 1024;
const BUSY: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const MOST_TRIES = 20;
const LONGEST_WAIT_MS = 30_000;

/** What became of a file. */
export interface ImportSummary extends Omit<IngestAnswer, "errors"> {
  /** The first wrong lines of the file, or rows of a table, at most 100. */
  readonly errors: readonly {
    readonly line?: number;
    readonly row?: number;
    readonly path: string;
    readonly message: string;
  }[];
  /** Of captured calls: halves that wait for the other, that had come before, events of a kind that is not collected. */
  readonly waiting?: number;
  readonly repeated?: number;
  readonly ignored?: number;
  /** What was left out of records, and why; the first 20. */
  readonly notes?: readonly { readonly line: number; readonly note: string }[];
}

interface LineBatch {
  readonly text: string;
  readonly lineNumbers: readonly number[];
  readonly bytesRead: number;
}

/**
 * Sends an NDJSON file (also gzipped; `-` is standard input) in batches, each until it is acknowledged. The same
 * batch of the same file carries the same Idempotency-Key, so that a repeated import stores nothing twice.
 */
export async function sendFile(
  client: ApiClient,
  {
    path,
    file,
    onProgress,
  }: {
    readonly path: string;
    readonly file: string;
    readonly onProgress?: (bytes: number, records: number) => void;
  },
): Promise<ImportSummary> {
  const summary = {
    received: 0,
    stored: 0,
    duplicates: 0,
    rejected: 0,
    errors: [] as ImportSummary["errors"][number][],
  };
  const captured = { waiting: 0, repeated: 0, ignored: 0, notes: [] as { line: number; note: string }[] };
  let sampledOut = 0;
  let kind: "own" | "captured" = "own";
  for await (const batch of readBatches(file)) {
    const answer = await sendBatch(client, path, batch);
    summary.received += answer.received;
    summary.stored += answer.stored;
    summary.duplicates += answer.duplicates;
    summary.rejected += answer.rejected;
    sampledOut += answer.sampled_out ?? 0;
    for (const { index, ...error } of answer.errors) {
      if (summary.errors.length < 100) summary.errors.push({ line: batch.lineNumbers[index] ?? 0, ...error });
    }
    if ("waiting" in answer) {
      kind = "captured";
      captured.waiting += answer.waiting;
      captured.repeated += answer.repeated;
      captured.ignored += answer.ignored;
      for (const { index, note } of answer.notes) {
        if (captured.notes.length < 20) captured.notes.push({ line: batch.lineNumbers[index] ?? 0, note });
      }
    }
    onProgress?.(batch.bytesRead, summary.received);
  }
  return {
    ...summary,
    ...(sampledOut > 0 ? { sampled_out: sampledOut } : {}),
    ...(kind === "captured" ? captured : {}),
  };
}

/** Bytes of the file as it lies on disk; 0 for standard input. */
export async function fileBytes(file: string): Promise<number> {
  if (file === "-") return 0;
  try {
    return (await stat(file)).size;
  } catch (error) {
    throw new ServiceError("not-found", `${file} cannot be read: ${(error as Error).message}`);
  }
}

async function* readBatches(file: string): AsyncGenerator<LineBatch> {
  const source: Readable = file === "-" ? process.stdin : createReadStream(file);
  let bytesRead = 0;
  source.on("data", (chunk: Buffer) => {
    bytesRead += chunk.length;
  });
  const plain = file.endsWith(".gz") ? source.pipe(createGunzip()) : source;
  source.once("error", (error) => plain.destroy(error));
  const lines = createInterface({ input: Readable.from(plain), crlfDelay: Number.POSITIVE_INFINITY });
  let texts: string[] = [];
  let lineNumbers: number[] = [];
  let length = 0;
  let number = 0;
  for await (const line of lines) {
    number++;
    if (line.trim() === "") continue;
    texts.push(line);
    lineNumbers.push(number);
    length += line.length;
    if (texts.length < BATCH_RECORDS && length < BATCH_BYTES) continue;
    yield { text: texts.join("\n"), lineNumbers, bytesRead };
    texts = [];
    lineNumbers = [];
    length = 0;
  }
  if (texts.length > 0) yield { text: texts.join("\n"), lineNumbers, bytesRead };
}

async function sendBatch(
  client: ApiClient,
  path: string,
  { text, lineNumbers }: LineBatch,
): Promise<IngestAnswer | CaptureAnswer> {
  const key = createHash("sha256").update(`${path} ${lineNumbers[0]} `).update(text).digest("hex");
  for (let tries = 1; ; tries++) {
    try {
      return await client.json<IngestAnswer | CaptureAnswer>({
        method: "POST",
        path,
        headers: { "content-type": "application/x-ndjson", "idempotency-key": key },
        body: text,
      });
    } catch (error) {
      const waitMs = waitBeforeRetry(error, tries, lineNumbers[0] === 1 ? "nothing" : "something");
      if (waitMs === undefined) throw error;
      await sleep(waitMs);
    }
  }
}

/** How long to wait before the next try; undefined when there is no use. */
export function waitBeforeRetry(
  error: unknown,
  tries: number,
  sent: "nothing" | "something",
): number | undefined {
  const backoffMs = Math.min(LONGEST_WAIT_MS, 250 * 2 ** tries);
  if (tries >= MOST_TRIES) return undefined;
  if (error instanceof UnreachableError) return sent === "nothing" ? undefined : backoffMs;
  if (error instanceof AnsweredError && BUSY.has(error.status)) {
    return error.retryAfterSeconds === undefined ? backoffMs : error.retryAfterSeconds * 1_000;
  }
  return undefined;
}
