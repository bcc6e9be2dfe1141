import { readFileSync } from "node:fs";
import { afterAll, expect, it } from "vitest";
import type { Replica } from "../../deployer/replica/replica.ts";
import type { DeploymentStatus } from "../../schema/deployment.ts";
import { startLeeway } from "../collector/leeway-server.ts";
import { adding, modelFolder, planned, planOf, post, replicaOn } from "./replica-on.ts";

const folder = modelFolder();
const running: Replica[] = [];
afterAll(async () => {
  await Promise.all(running.map((replica) => replica.drain(0)));
  folder.remove();
});

const model = folder.write("model.onnx", adding(1));
let modules = 0;
/** A replica whose model, y = x + 1 of two columns, has this code around it. */
async function serve(code: string): Promise<string> {
  modules += 1;
  const file = folder.write(`module-${modules}.mjs`, Buffer.from(code));
  const replica = await replicaOn(planOf([await planned({ model_file: model, module: { file } })]));
  running.push(replica);
  return replica.url;
}

const CITIES = `
const CITIES = { Ulm: 10, Bern: 20 };
export function preprocess(rows) {
  return rows.map(({ city, age }) => {
    if (!(city in CITIES)) throw new Error("city " + city + " is not known");
    return [CITIES[city], age];
  });
}
export function postprocess(predictions, rows) {
  if (rows[0].age === 99) throw new Error("no answer\\n    at secret.js:1");
  return predictions.map(([city, age], at) => ({ from: rows[at].city, score: city + age }));
}`;

it("has rows made for the model, and answers of what it says", async () => {
  const url = await serve(CITIES);
  const rows = [
    { city: "Ulm", age: 1 },
    { city: "Bern", age: 2 },
  ];
  const predictions = [
    { from: "Ulm", score: 13 },
    { from: "Bern", score: 24 },
  ];
  const predict = `${url}/v1/models/model:predict`;
  expect((await post(predict, { instances: rows })).json).toEqual({ predictions });
  for (const body of [
    { dataframe_records: rows },
    { dataframe_split: { columns: ["age", "city"], data: rows.map(({ city, age }) => [age, city]) } },
    rows,
  ])
    expect((await post(`${url}/invocations`, body)).json).toEqual({ predictions });
  const tensors = { inputs: [{ name: "x", shape: [1, 2], datatype: "FP32", data: [1, 2] }] };
  expect((await post(`${url}/v2/models/model/infer`, tensors)).json).toMatchObject({
    outputs: [{ data: [2, 3] }],
  });
  const unknown = await post(predict, { instances: [{ city: "Rom", age: 1 }] });
  expect([unknown.status, unknown.json]).toEqual([400, { error: "preprocess: city Rom is not known" }]);
  const failed = await post(predict, { instances: [{ city: "Ulm", age: 99 }] });
  expect([failed.status, failed.json]).toEqual([500, { error: "postprocess: no answer" }]);
  expect((await post(predict, { instances: rows })).status).toBe(200);
});

it.each([
  {
    code: "export const preprocess = (rows) => rows.slice(1);",
    says: "preprocess gave a list of 0 for 1 rows",
  },
  { code: "export const preprocess = async (rows) => rows;", says: "preprocess gave a promise for 1 rows" },
  { code: "export const postprocess = () => undefined;", says: "postprocess gave undefined for 1 rows" },
])("$says", async ({ code, says }) => {
  const answer = await post(`${await serve(code)}/invocations`, [[1, 2]]);
  expect([answer.status, answer.json]).toEqual([
    500,
    { error_code: "INTERNAL_ERROR", message: `${says}: expected a list of as many` },
  ]);
});

it.each([
  { code: "export const other = 1;", says: "its module exports neither a function preprocess nor" },
  { code: "export const = 1;", says: "its module cannot be loaded" },
])("a version is not served when $says", async ({ code, says }) => {
  await expect(serve(code)).rejects.toThrow(says);
});

it("a deployment runs a version's module only when it is told to", async () => {
  const server = await startLeeway(`${folder.path}/data`);
  try {
    const form = new FormData();
    form.set("name", "towns");
    form.append("file", new Blob([readFileSync(model) as Uint8Array<ArrayBuffer>]), "model.onnx");
    form.append("file", new Blob([CITIES]), "code/towns.mjs");
    const registered = await fetch(`${server.url}/v1/models`, { method: "POST", body: form });
    expect(registered.status).toBe(201);
    const put = (more: object) =>
      fetch(`${server.url}/v1/deployments/towns`, {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({
          model: "towns",
          versions: [{ version: "1", weight: 100 }],
          capture: { enabled: false },
          ...more,
        }),
      });
    const instances = [{ city: "Ulm", age: 1 }];
    const { status } = (await (await put({})).json()) as DeploymentStatus;
    const ask = () => post(`${status.url}/v1/models/towns:predict`, { instances });
    expect((await ask()).status).toBe(400);
    const missing = await put({ module: "towns.mjs" });
    expect([missing.status, await missing.text()]).toEqual([
      400,
      expect.stringContaining("version 1 of towns has no file towns.mjs"),
    ]);
    expect((await put({ module: "code/towns.mjs" })).status).toBe(200);
    await expect.poll(async () => (await ask()).json).toEqual({ predictions: [{ from: "Ulm", score: 13 }] });
    await fetch(`${server.url}/v1/deployments/towns`, { method: "DELETE" });
  } finally {
    await server.kill("SIGTERM");
  }
});
