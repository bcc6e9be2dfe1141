import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { Database } from "../../store/database.ts";
import { type LeewayServer, startLeeway } from "./leeway-server.ts";
import { temporaryFolder } from "./test-collector.ts";

const KILLS = 20;
const BATCH = 50;

/** Sends a body again and again, to whatever server is there just then, until it is acknowledged. */
type Deliver = (path: string, body: string, headers: Record<string, string>) => Promise<void>;

/** Three kinds of sender: batches and single records with ids of their own, and batches whose ids come from a key. */
const senders: Readonly<Record<string, (deliver: Deliver, round: number) => Promise<string[]>>> = {
  batch: async (deliver, round) => {
    const ids = Array.from({ length: BATCH }, (_, i) => `batch-${round}-${i}`);
    await deliver("records", ids.map((id) => `${recordOf(id)}\n`).join(""), ndjson);
    const labels = ids.map((id, i) => `${JSON.stringify({ id, label: i, time: "2026-02-01T00:00:00Z" })}\n`);
    await deliver("labels", labels.join(""), ndjson);
    return ids;
  },
  single: async (deliver, round) => {
    const id = `single-${round}`;
    await deliver("labels", JSON.stringify({ id, label: round % 2 }), json); // the truth may come first
    await deliver("records", recordOf(id), json);
    return [id];
  },
  keyed: async (deliver, round) => {
    const key = `keyed-${round}`;
    const ids = Array.from({ length: BATCH }, (_, i) => `${key}:${i}`);
    const body = JSON.stringify(ids.map((id) => ({ ...JSON.parse(recordOf(id)), id: undefined })));
    await deliver("records", body, { ...json, "idempotency-key": key });
    return ids;
  },
};

const ndjson = { "content-type": "application/x-ndjson" };
const json = { "content-type": "application/json" };

/** Every value follows from the id, so that the table can be checked against it. */
function recordOf(id: string): string {
  const number = numberOf(id);
  return JSON.stringify({
    id,
    time: new Date(1_767_225_600_000 + number).toISOString(),
    inputs: { name: id.toUpperCase(), number, even: number % 2 === 0 },
  });
}

function numberOf(id: string): number {
  return [...id].reduce((sum, letter) => (sum * 31 + letter.charCodeAt(0)) % 1_000_003, 7);
}

it(`has every acknowledged record and label exactly once after ${KILLS} kills at random moments`, async () => {
  const dataDir = temporaryFolder();
  let server: LeewayServer = await startLeeway(dataDir);
  let state: "killing" | "done" = "killing";
  let repeats = 0;

  const deliver: Deliver = async (path, body, headers) => {
    for (;;) {
      try {
        const answer = await fetch(`${server.url}/v1/models/churn/${path}`, {
          method: "POST",
          headers,
          body,
          signal: AbortSignal.timeout(10_000),
        });
        const { rejected } = (await answer.json()) as { rejected?: number };
        if (answer.status === 202 && rejected === 0) return;
      } catch {
        // killed before it could answer: whether it is stored is unknown, so it is sent again
      }
      repeats++;
      await sleep(20);
    }
  };
  const acknowledged: string[] = [];
  const sending = Object.values(senders).map(async (send) => {
    for (let round = 0; state === "killing"; round++) acknowledged.push(...(await send(deliver, round)));
  });
  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(30 + Math.random() * 1_200); // records are moved into the tables once a second
    await server.kill("SIGKILL");
    server = await startLeeway(dataDir);
  }
  state = "done";
  await Promise.all(sending);
  await server.kill("SIGKILL");
  server = await startLeeway(dataDir);
  await server.kill("SIGTERM");

  const database = await Database.open(join(dataDir, "leeway.duckdb"));
  try {
    const rows = await database.all<{ id: string; name: string; number: number; even: boolean; ms: number }>(
      `select record_id as id, in_name as name, in_number as number, in_even as even, epoch_ms(time) as ms
       from records_churn order by id`,
    );
    expect(rows.map(({ id }) => id)).toEqual(acknowledged.sort());
    for (const { id, name, number, even, ms } of rows) {
      expect({ name, number, even }).toEqual({
        name: id.toUpperCase(),
        number: numberOf(id),
        even: numberOf(id) % 2 === 0,
      });
      if (ms !== 1_767_225_600_000 + number) throw new Error(`${id} has time ${ms}`);
    }
    const labels = await database.all<{ id: string; number: number }>(
      "select record_id as id, number from labels_churn order by id",
    );
    expect(labels.map(({ id }) => id)).toEqual(acknowledged.filter((id) => !id.startsWith("keyed")).sort());
    for (const { id, number } of labels) {
      const last = Number(id.split("-").at(-1));
      expect(number, id).toBe(id.startsWith("single") ? last % 2 : last);
    }
    const [view] = await database.all("select count(*) as rows, count(label) as labelled from views.churn");
    expect(view).toEqual({ rows: rows.length, labelled: labels.length });
  } finally {
    await database.close();
  }
  expect(repeats, "requests that a kill interrupted").toBeGreaterThan(0);
  console.log(`${acknowledged.length} records acknowledged, ${repeats} requests repeated`);
}, 180_000);
