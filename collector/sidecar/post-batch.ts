import http from "node:http";
import https from "node:https";
import type { Batch } from "./batch.ts";

/** What came of sending a batch. */
export type PostOutcome =
  | {
      readonly outcome: "stored";
      readonly stored: number;
      readonly duplicates: number;
      readonly rejected: number;
      /** Not kept, because the collector keeps a sample of this model. */
      readonly sampledOut: number;
      readonly why?: string;
    }
  /** The collector will never take it: sending it again is of no use. */
  | { readonly outcome: "refused"; readonly why: string }
  | { readonly outcome: "failed"; readonly why: string; readonly retryAfterMs: number | undefined };

export interface Target {
  readonly collector: string;
  readonly apiKey: string | undefined;
  readonly model: string;
}

const TIMEOUT_MS = 30_000;
const MOST_ANSWER_BYTES = 256 * 1024;
/** The body itself is at fault. Anything else (a wrong key, a proxy's page) may be mended while the records wait. */
const NEVER_TAKEN: ReadonlySet<number> = new Set([400, 413, 415, 422]);

/** Makes the function that sends one batch and says what came of it. It never throws. */
export function batchPoster({ collector, apiKey, model }: Target): (batch: Batch) => Promise<PostOutcome> {
  const url = new URL(`${collector.replace(/\/$/, "")}/v1/models/${encodeURIComponent(model)}/records`);
  const client = url.protocol === "https:" ? https : http;
  const agent = new client.Agent({ keepAlive: true, timeout: TIMEOUT_MS });
  return (batch) =>
    new Promise((resolve) => {
      const failed = (why: string) => resolve({ outcome: "failed", why, retryAfterMs: undefined });
      const request = client.request(url, {
        agent,
        method: "POST",
        headers: {
          "content-type": "application/x-ndjson",
          "content-length": batch.body.length,
          ...(batch.encoding === "gzip" ? { "content-encoding": "gzip" } : {}),
          ...(apiKey === undefined ? {} : { authorization: `Bearer ${apiKey}` }),
        },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      request.on("error", (error: NodeJS.ErrnoException) => failed(error.code ?? error.message));
      request.on("response", (response) => {
        const parts: Buffer[] = [];
        let bytes = 0;
        response.on("data", (part: Buffer) => {
          bytes += part.length;
          if (bytes <= MOST_ANSWER_BYTES) parts.push(part);
        });
        response.on("error", (error) => failed(error.message));
        response.on("end", () => {
          const retryAfter = Number(response.headers["retry-after"] ?? Number.NaN);
          resolve(outcomeOf(response.statusCode ?? 0, Buffer.concat(parts).toString(), retryAfter));
        });
      });
      request.end(batch.body);
    });
}

function outcomeOf(status: number, text: string, retryAfterSeconds: number): PostOutcome {
  const answer = parsed(text);
  if (status === 202 && answer) {
    const { stored, duplicates, rejected } = answer;
    if (typeof stored === "number" && typeof duplicates === "number" && typeof rejected === "number") {
      const why = firstError(answer.errors);
      const sampledOut = typeof answer.sampled_out === "number" ? answer.sampled_out : 0;
      return {
        ...{ outcome: "stored", stored, duplicates, rejected, sampledOut },
        ...(why === undefined ? {} : { why }),
      };
    }
  }
  const why = `${status} ${typeof answer?.detail === "string" ? answer.detail : text.slice(0, 200)}`;
  if (NEVER_TAKEN.has(status)) return { outcome: "refused", why };
  const retryAfterMs = Number.isFinite(retryAfterSeconds) ? retryAfterSeconds * 1_000 : undefined;
  return { outcome: "failed", why, retryAfterMs };
}

function firstError(errors: unknown): string | undefined {
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  if (first === null || typeof first !== "object") return undefined;
  const { path, message } = first as { readonly path?: unknown; readonly message?: unknown };
  return `${path}: ${message}`;
}

function parsed(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
