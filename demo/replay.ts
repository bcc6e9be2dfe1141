import { setTimeout as sleep } from "node:timers/promises";
import { AnsweredError, type ApiClient } from "../app/api-client.ts";
import type { IngestAnswer, LabelRecord } from "../schema/record.ts";
import type { Flight } from "./flights.ts";
import { chunksOf, inParallel } from "./in-parallel.ts";
import type { ScoringClient } from "./scoring-client.ts";
import { MODEL } from "./set-up.ts";

const LABELS_PER_CALL = 2_000;
const CALLS_AT_ONCE = 3;
const MOST_TRIES = 20;
const LOOK_EVERY_MS = 25;
const STORED_PATIENCE_MS = 30_000;

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

/** A flight that was scored: by the call's id and its place in it the record is found, and the label comes to it. */
export interface ScoredFlight extends Flight {
  readonly call: string;
  readonly row: number;
}

/** Has the deployment score the flights, in a call for each hour; its replicas hand on what they were asked and answered. */
export async function scoreDay(
  client: ScoringClient,
  flights: readonly Flight[],
  counts: Sent,
): Promise<ScoredFlight[]> {
  const hours = new Map<string, ScoredFlight[]>();
  for (const flight of flights) {
    const call = `flights-${flight.time.toISOString().slice(0, 13)}`;
    const hour = hours.get(call) ?? [];
    hours.set(call, hour);
    hour.push({ ...flight, call, row: hour.length });
  }
  await inParallel([...hours], CALLS_AT_ONCE, async ([call, hour]) => {
    const at = new Date(`${call.slice("flights-".length)}:00:00Z`);
    const inputs = hour.map((flight) => flight.inputs);
    const scored = await client.score(call, at, inputs);
    counts.sent += scored;
  });
  return [...hours.values()].flat();
}

/** Waits until Leeway has what the replicas have sent, as its own metrics count it. */
export async function recordsStored(leeway: ApiClient, counts: Sent): Promise<void> {
  const patience = performance.now() + STORED_PATIENCE_MS;
  for (;;) {
    const text = await (await leeway.call({ path: "/metrics" })).text();
    const of = (outcome: string) =>
      Number(
        new RegExp(
          `^leeway_records_total\\{(?=.*model="${MODEL}").*outcome="${outcome}".*\\} (\\d+)`,
          "m",
        ).exec(text)?.[1] ?? 0,
      );
    counts.stored = of("stored");
    counts.duplicates = of("duplicate");
    counts.rejected = of("rejected");
    if (counts.stored + counts.rejected >= counts.sent || performance.now() > patience) return;
    await sleep(LOOK_EVERY_MS);
  }
}

/** Tells Leeway how the flights ended. */
export async function sendLabels(
  leeway: ApiClient,
  flights: readonly ScoredFlight[],
  { knownAt, counts }: { readonly knownAt: Date; readonly counts: Sent },
): Promise<void> {
  const labels = flights.map(
    ({ call, row, late }): LabelRecord => ({ id: call, row, label: late, time: knownAt.toISOString() }),
  );
  await inParallel(chunksOf(labels, LABELS_PER_CALL), CALLS_AT_ONCE, (items) =>
    sendLines(leeway, { path: `/v1/models/${MODEL}/labels`, items, counts }),
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
