import { readdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { metricsOf, startProgram, startServer, startSidecar } from "../../bench/sidecar-processes.ts";
import { makeFolder } from "./leeway.ts";

const folder = makeFolder();
afterAll(() => folder.remove());

it("what was on disk when the sidecar was killed is stored once when it is started again", async () => {
  const service = await startProgram("python3", [join(import.meta.dirname, "sidecar-service.py")]);
  const data = ["--port", "0", "--data-dir", join(folder.path, "data")];
  const unreachable = "http://127.0.0.1:9";
  const spool = join(folder.path, "spool");
  const args = ["--upstream", service.url, "--model", "churn", "--spool-dir", spool];
  const ids: string[] = [];
  const score = async (url: string) => {
    const id = `call-${ids.length}`;
    ids.push(id);
    const answer = await fetch(`${url}/v1/models/churn:predict`, {
      method: "POST",
      headers: { "content-type": "application/json", "x-plan": '{"score":1}', "x-request-id": id },
      body: JSON.stringify({ instances: [{ age: ids.length, income: 0.5 }] }),
    });
    expect(await answer.json()).toEqual({ predictions: [0.5] });
  };

  for (let round = 0; round < 2; round += 1) {
    const sidecar = await startSidecar([...args, "--collector", unreachable]);
    for (let i = 0; i < 40; i += 1) await score(sidecar.url);
    for (;;) {
      const spooled = (await metricsOf(sidecar)).get("spooled_records");
      if (spooled === ids.length) break; // those of the round before it are there too
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await sidecar.stop("SIGKILL");
  }
  expect(readdirSync(join(spool, "churn")).length).toBeGreaterThan(1);

  const collector = await startServer(data);
  const sidecar = await startSidecar([...args, "--collector", collector.url]);
  await score(sidecar.url); // and it goes on as if nothing had been
  expect(await sidecar.stop()).toBe(0);
  let stored: readonly string[] = [];
  while (stored.length < ids.length) {
    await new Promise((resolve) => setTimeout(resolve, 100)); // records are moved into the tables once a second
    const answer = await fetch(`${collector.url}/v1/query`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ sql: "select record_id from churn order by 1 limit 1000" }),
    });
    const { rows = [] } = (await answer.json()) as { readonly rows?: readonly (readonly [string])[] };
    stored = rows.map(([id]) => id);
  }
  await Promise.all([collector.stop(), service.stop()]);
  expect(stored).toEqual([...ids].sort());
  expect(readdirSync(join(spool, "churn"))).toEqual([]);
}, 60_000);
