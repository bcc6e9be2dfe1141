import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { Database } from "../../../store/database.ts";
import { type LeewayServer, startLeeway } from "../leeway-server.ts";
import { temporaryFolder } from "../test-collector.ts";

const KILLS = 4;
const TABLE_ROWS = 200;

/** Half of a call as KServe's logger sends it. */
function half(side: "request" | "response", id: string): { headers: Record<string, string>; body: string } {
  return {
    body: side === "request" ? `{"instances":[{"x":"${id}"}]}` : `{"predictions":["${id}"]}`,
    headers: {
      "ce-specversion": "1.0",
      "ce-type": `org.kubeflow.serving.inference.${side}`,
      "ce-id": id,
      "ce-source": "s",
      "ce-inferenceservicename": "calls",
      "content-type": "application/json",
    },
  };
}

it(`has every acknowledged half and table exactly once after ${KILLS} kills at random moments`, async () => {
  const dataDir = temporaryFolder();
  let server: LeewayServer = await startLeeway(dataDir);
  let state: "killing" | "done" = "killing";
  const deliver = async (path: string, headers: Record<string, string>, body: string) => {
    for (;;) {
      const answer = await fetch(`${server.url}${path}`, { method: "POST", headers, body }).catch(
        () => undefined,
      );
      if (answer?.status === 202) {
        await answer.arrayBuffer();
        return;
      }
      await sleep(20);
    }
  };
  const calls = async (sender: number) => {
    let sent = 0;
    for (; state === "killing"; sent++) {
      const id = `call-${sender}-${sent}`;
      const sides = sent % 2 === 0 ? (["request", "response"] as const) : (["response", "request"] as const);
      for (const side of sides) {
        const { headers, body } = half(side, id);
        await deliver("/v1/capture/kserve", headers, body);
      }
    }
    return sent;
  };
  const tables = async () => {
    let sent = 0;
    for (; state === "killing"; sent++) {
      const rows = Array.from({ length: TABLE_ROWS }, (_, i) => `table-${sent}-${i},${i}\n`);
      await deliver("/v1/models/tables/records", { "content-type": "text/csv" }, `id,x\n${rows.join("")}`);
    }
    return sent;
  };
  const senders = [calls(0), calls(1), tables()] as const;
  for (let round = 0; round < KILLS; round++) {
    await sleep(300 + Math.random() * 700);
    await server.kill("SIGKILL");
    server = await startLeeway(dataDir);
  }
  state = "done";
  const [first, second, uploaded] = await Promise.all(senders);
  await server.kill("SIGTERM");
  const database = await Database.open(join(dataDir, "leeway.duckdb"));
  try {
    expect(
      await database.all(
        `select count(*) as n, count(distinct record_id) as ids,
           count(*) filter (in_x = record_id and out_prediction = record_id) as whole from views.calls`,
      ),
    ).toEqual([{ n: first + second, ids: first + second, whole: first + second }]);
    const rows = uploaded * TABLE_ROWS;
    expect(
      await database.all("select count(*) as n, count(distinct record_id) as ids from views.tables"),
    ).toEqual([{ n: rows, ids: rows }]);
    expect(first + second).toBeGreaterThan(0);
    expect(uploaded).toBeGreaterThan(0);
  } finally {
    await database.close();
  }
}, 120_000);
