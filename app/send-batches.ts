import { createHash } from "node:crypto";
import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { ServiceError } from "../schema/errors.ts";
import type { CaptureAnswer, IngestAnswer } from "../schema/record.ts";
import { AnsweredError, type ApiClient, UnreachableError } from "./api-client.ts";
import { isBlank, linesOf } from "./file-lines.ts";

const BATCH_RECORDS = 5_000;
const BATCH_BYTES = 4 * 1024 * 1024;
const BUSY: ReadonlySet<number> = new Set([429, 502, 503, 504]);
const TOO_LARGE = 413;
const LINE_END = Buffer.from("\n");
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

interface Line {
  readonly bytes: Uint8Array;
  /** From 1 on, blank ones counted. */
  readonly number: number;
}

interface LineBatch {
  readonly lines: readonly Line[];
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
  let kind = "own" as "own" | "captured";
  const add = (answer: IngestAnswer | CaptureAnswer, lines: readonly Line[]) => {
    const lineOf = (index: number) => lines[index]?.number ?? 0;
    summary.received += answer.received;
    summary.stored += answer.stored;
    summary.duplicates += answer.duplicates;
    summary.rejected += answer.rejected;
    sampledOut += answer.sampled_out ?? 0;
    for (const { index, ...error } of answer.errors) {
      if (summary.errors.length < 100) summary.errors.push({ line: lineOf(index), ...error });
    }
    if (!("waiting" in answer)) return;
    kind = "captured";
    captured.waiting += answer.waiting;
    captured.repeated += answer.repeated;
    captured.ignored += answer.ignored;
    for (const { index, note } of answer.notes) {
      if (captured.notes.length < 20) captured.notes.push({ line: lineOf(index), note });
    }
  };
  for await (const batch of readBatches(file)) {
    for await (const { answer, lines } of sendLines(client, path, batch.lines)) add(answer, lines);
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
  let bytesRead = 0;
  let lines: Line[] = [];
  let length = 0;
  let number = 0;
  let broken: unknown;
  const read = linesOf(file, (bytes) => {
    bytesRead = bytes;
  });
  for (;;) {
    const next = await read.next().catch((error: unknown) => {
      broken = error;
    });
    if (!next || next.done) break;
    number++;
    if (isBlank(next.value)) continue;
    lines.push({ bytes: next.value, number });
    length += next.value.length;
    if (lines.length < BATCH_RECORDS && length < BATCH_BYTES) continue;
    yield { lines, bytesRead };
    lines = [];
    length = 0;
  }
  if (lines.length > 0) yield { lines, bytesRead };
  if (broken !== undefined) throw broken; // what was whole is sent
}

/** Sends lines until they are taken; where they are too long together, or one is by itself, in parts. */
async function* sendLines(
  client: ApiClient,
  path: string,
  lines: readonly Line[],
): AsyncGenerator<{ readonly answer: IngestAnswer | CaptureAnswer; readonly lines: readonly Line[] }> {
  try {
    yield { answer: await sendBatch(client, path, lines), lines };
  } catch (error) {
    if (!(error instanceof AnsweredError) || error.status !== TOO_LARGE) throw error;
    const half = Math.floor(lines.length / 2);
    if (half === 0) {
      const errors = [{ index: 0, path: "", message: error.message }];
      yield { answer: { received: 1, stored: 0, duplicates: 0, rejected: 1, errors }, lines };
      return;
    }
    yield* sendLines(client, path, lines.slice(0, half));
    yield* sendLines(client, path, lines.slice(half));
  }
}

async function sendBatch(
  client: ApiClient,
  path: string,
  lines: readonly Line[],
): Promise<IngestAnswer | CaptureAnswer> {
  const first = lines[0]?.number;
  const body = Buffer.concat(lines.flatMap(({ bytes }, i) => (i === 0 ? [bytes] : [LINE_END, bytes])));
  const key = createHash("sha256").update(`${path} ${first} `).update(body).digest("hex");
  for (let tries = 1; ; tries++) {
    try {
      return await client.json<IngestAnswer | CaptureAnswer>({
        method: "POST",
        path,
        headers: { "content-type": "application/x-ndjson", "idempotency-key": key },
        body,
      });
    } catch (error) {
      const waitMs = waitBeforeRetry(error, tries, first === 1 ? "nothing" : "something");
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
