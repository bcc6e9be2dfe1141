import { afterAll, expect, it } from "vitest";
import { Deployments } from "../../deployer/deployments.ts";
import { Database } from "../../store/database.ts";
import { DeploymentStore } from "../../store/deployments.ts";
import { modelFolder } from "./replica-on.ts";

const folder = modelFolder();
afterAll(() => folder.remove());
const now = () => new Date("2026-01-02T03:04:05Z");

it("the plan that is live is told, however many failed after it", async () => {
  const database = await Database.open(":memory:", { threads: 1 });
  const store = new DeploymentStore(database);
  const spec = { model: "sums", versions: [{ version: "1", weight: 100 }] };
  await database.transaction(async (tx) => {
    const common = { kind: "change", why: null, error: null, repeats: null, spec, document: { replicas: 1 } };
    for (let number = 1; number <= 30; number += 1)
      await store.addPlan(
        tx,
        "live",
        { ...common, number, outcome: number === 2 ? "live" : "failed" },
        now(),
      );
    const where = { host: "127.0.0.1", port: 8430, plan: 2 };
    await store.put(tx, { name: "live", model: "sums", state: "running", spec, ...where }, now());
  });
  const deployments = new Deployments({
    database,
    folder: folder.path,
    resolve: () => Promise.reject(new Error("nothing is deployed here")),
    program: { arguments: [], env: {} },
    capture: () => ({ url: "http://127.0.0.1:1", apiKeyFile: undefined }),
    metrics: { count: () => undefined, set: () => undefined, observe: () => undefined },
    log: () => undefined,
    now,
  });
  const { plans } = await deployments.get("live");
  await database.close();
  expect(plans.map(({ number }) => number)).toEqual([...Array.from({ length: 20 }, (_, at) => 30 - at), 2]);
});
