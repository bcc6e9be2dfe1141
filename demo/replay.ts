import { setTimeout as sleep } from "node:timers/promises";
import { z } from "zod";
import { AnsweredError, type ApiClient } from "../app/api-client.ts";
import type { IngestAnswer, LabelRecord, ScoringRecord } from "../schema/record.ts";
import type { Flight } from "./flights.ts";
import { chunksOf, inParallel } from "./in-parallel.ts";
import type { FlightInputs } from "./model.ts";

const BATCH_ROWS = 500;
const BATCHES_AT_ONCE = 3;
const MOST_TRIES = 20;

/** What was sent to Leeway and what it said became of it. */
export interface Sent {
  sent: number;
  stored: number;
  duplicates: number;
  rejected: number;
}

export function nothingSent(): Sent {
  return { sent: 0, stored: 0, duplicates: 0, rejected: 0 };
}

const predictAnswer = z.object({
  version: z.string(),
  predictions: z.array(z.object({ probability: z.number() })),
});
type Scores = z.infer<typeof predictAnswer>;

/** Asks the scoring service, as whoever sells tickets would. */
async function predict(scoringUrl: string, rows: readonly FlightInputs[]): Promise<Scores> {
  const response = await fetch(`${scoringUrl}/predict`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ rows }),
  });
  if (!response.ok)
    throw new Error(`the scoring service answered ${response.status}: ${await response.text()}`);
  return predictAnswer.parse(await response.json());
}

/** Scores the flights and hands inputs and answers on to Leeway, a few batches at a time. */
export async function scoreAndSend(
  {
    leeway,
    scoringUrl,
    model,
  }: { readonly leeway: ApiClient; readonly scoringUrl: string; readonly model: string },
  flights: readonly Flight[],
  counts: Sent,
): Promise<void> {
  await inParallel(chunksOf(flights, BATCH_ROWS), BATCHES_AT_ONCE, async (batch) => {
    const started = performance.now();
    const { version, predictions } = await predict(
      scoringUrl,
      batch.map(({ inputs }) => inputs),
    );
    const latency_ms = Math.round((performance.now() - started) * 1_000) / 1_000;
    const records = batch.map(({ id, time, inputs }, i): Omit<ScoringRecord, "row"> => {
      const prediction = predictions[i];
      if (!prediction)
        throw new Error(`the scoring service answered ${predictions.length} of ${batch.length} rows`);
      return {
        id,
        time: time.toISOString(),
        version,
        inputs: { ...inputs },
        outputs: prediction,
        status: 200,
        latency_ms,
      };
    });
    await sendLines(leeway, { path: `/v1/models/${model}/records`, items: records, counts });
  });
}

/** Tells Leeway how the flights ended. */
export async function sendLabels(
  { leeway, model }: { readonly leeway: ApiClient; readonly model: string },
  flights: readonly Flight[],
  { knownAt, counts }: { readonly knownAt: Date; readonly counts: Sent },
): Promise<void> {
  const labels = flights.map(
    ({ id, late }): Omit<LabelRecord, "row"> => ({ id, label: late, time: knownAt.toISOString() }),
  );
  await inParallel(chunksOf(labels, 4 * BATCH_ROWS), BATCHES_AT_ONCE, (items) =>
    sendLines(leeway, { path: `/v1/models/${model}/labels`, items, counts }),
  );
}

/** Sends a batch until it is acknowledged: a full queue says when to come again, and what is sent twice is stored once. */
async function sendLines(
  leeway: ApiClient,
  {
    path,
    items,
    counts,
  }: { readonly path: string; readonly items: readonly unknown[]; readonly counts: Sent },
): Promise<void> {
  const body = items.map((item) => JSON.stringify(item)).join("\n");
  for (let tries = 1; ; tries += 1) {
    try {
      const answer = await leeway.json<IngestAnswer>({
        method: "POST",
        path,
        headers: { "content-type": "application/x-ndjson" },
        body,
      });
      counts.sent += items.length;
      counts.stored += answer.stored;
      counts.duplicates += answer.duplicates;
      counts.rejected += answer.rejected;
      return;
    } catch (error) {
      const busy = error instanceof AnsweredError && (error.status === 429 || error.status === 503);
      if (!busy || tries >= MOST_TRIES) throw error;
      await sleep(1_000 * (error.retryAfterSeconds ?? 1));
    }
  }
}
