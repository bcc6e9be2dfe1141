import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { afterAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { collectProgram } from "../../deployer/package/collect-program.ts";
import { kubernetesFiles } from "../../deployer/package/kubernetes.ts";
import { runsAsProfiled, writePackage } from "../../deployer/package/write-package.ts";
import type { ModelSignature } from "../../schema/signature.ts";
import { startLeeway } from "../collector/leeway-server.ts";
import { leeway } from "../e2e/leeway.ts";
import { onnxFile } from "./onnx-file.ts";

const MEASURED = {
  cpu: 0.5,
  cpu_request: 0.35,
  memory_bytes: 200 * 1024 ** 2,
  replicas: 3,
  threads: 1,
  batch_size: null,
  rate_per_replica: 40,
};
const ROOT = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "leeway-package-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Twice its input. */
function doubling(): string {
  const file = join(folder, "doubling.onnx");
  const values = (name: string) => ({ name, type: 1, shape: ["n", 2] });
  writeFileSync(
    file,
    onnxFile({
      nodes: [{ op: "Add", inputs: ["x", "x"], outputs: ["y"] }],
      inputs: [values("x")],
      outputs: [values("y")],
    }),
  );
  return file;
}

/** Runs a package as its container does, with nothing of this project around it. */
async function served(program: string, ask: (url: string) => Promise<void>): Promise<void> {
  const child = spawn(process.execPath, [program, "--port", "0"], {
    cwd: "/",
    env: { PATH: process.env.PATH },
  });
  const ended = once(child, "exit");
  let said = "";
  child.stderr.on("data", (part) => {
    said += part;
  });
  try {
    const early = ended.then(([code]) => Promise.reject(new Error(`it ended with ${code}: ${said}`)));
    const [line] = await Promise.race([once(createInterface({ input: child.stdout }), "line"), early]);
    early.catch(() => undefined);
    const { url } = JSON.parse(line as string) as { readonly url: string };
    await ask(url);
  } finally {
    child.kill("SIGTERM");
  }
  expect(await ended).toEqual([0, null]);
}

function predict(url: string, model: string, instances: readonly unknown[]): Promise<Response> {
  return fetch(`${url}/v1/models/${model}:predict`, { method: "POST", body: JSON.stringify({ instances }) });
}

it("a package serves its model wherever it lies, without npm", { timeout: 60_000 }, async () => {
  const target = join(folder, "doubling-edge");
  const module = join(folder, "named.mjs");
  writeFileSync(module, "export const preprocess = (rows) => rows.map(({ a, b }) => [a, b]);");
  for (const [named, why] of [
    ["named.js", "expected a file that ends in .mjs"],
    ["none.mjs", "no such file"],
  ] as const)
    expect(await leeway(["model", "package", doubling(), target, "--allow-module", named])).toMatchObject({
      code: 2,
      stderr: `leeway: --allow-module ${named}: ${why}\n`,
    });
  const packed = await leeway(["model", "package", doubling(), target, "--allow-module", module]);
  expect(packed, packed.stderr).toMatchObject({ code: 0 });
  expect(packed.stdout).toContain(`${target} serves doubling:1`);
  await served(join(target, "replica.js"), async (url) => {
    const answer = await fetch(`${url}/v2/models/doubling/infer`, {
      method: "POST",
      body: JSON.stringify({ inputs: [{ name: "x", datatype: "FP32", shape: [1, 2], data: [1.5, -2] }] }),
    });
    expect(await answer.json()).toMatchObject({
      model_version: "1",
      outputs: [{ name: "y", shape: [1, 2], data: [3, -4] }],
    });
    expect(await (await predict(url, "doubling", [{ a: 1, b: 2 }])).json()).toEqual({
      predictions: [[2, 4]],
    });
    expect((await fetch(`${url}/metrics`)).status).toBe(200);
  });
  const parts = readdirSync(target).sort();
  expect(parts).toEqual([
    ".dockerignore",
    "Dockerfile",
    "kubernetes",
    "model",
    "node_modules",
    "package.json",
    "plan.json",
    "program",
    "replica.js",
  ]);
  const runtimes = readdirSync(join(target, "node_modules/onnxruntime-node/bin"), {
    recursive: true,
    encoding: "utf8",
  });
  expect(runtimes.filter((path) => /darwin|win32/.test(path) && !path.includes(process.platform))).toEqual(
    [],
  );
  expect(readdirSync(folder).filter((name) => name.endsWith(".partial"))).toEqual([]);

  const misused = spawn(process.execPath, [join(target, "replica.js"), "--prot", "1"]);
  expect(await once(misused, "exit")).toEqual([2, null]);
  const nowhere = spawn(process.execPath, [join(target, "replica.js"), "--port", "http"]);
  expect(await text(nowhere.stderr)).toContain(
    "port http (--port, or PORT): expected a whole number from 0 to 65535",
  );
  const again = await leeway(["model", "package", doubling(), target]);
  expect(again).toMatchObject({
    code: 1,
    stderr: `leeway: ${target} is not empty: name another folder, or remove it\n`,
  });
});

it("the program of a package names what it imports, and nothing else of this project", async () => {
  const target = join(folder, "program");
  const { packages, entry } = await collectProgram(ROOT, target);
  expect(Object.keys(packages)).toEqual(["onnxruntime-node", "pbf", "uuidv7", "zod"]);
  expect(existsSync(join(target, entry))).toBe(true);
  const folders = readdirSync(join(target, "program"));
  expect(folders.sort()).toEqual(["collector", "deployer", "protocols", "schema"]);
  await expect(collectProgram(folder, target)).rejects.toThrow(/is not there: npm run build makes it/);
});

it("a package whose writing fails leaves nothing", async () => {
  const target = join(folder, "broken");
  const signature: ModelSignature = { inputs: [], outputs: [] };
  const contents = {
    model: "m",
    version: "1",
    sha256: undefined,
    signature,
    sample: undefined,
    capture: undefined,
  };
  const files = [{ path: "model.onnx", from: join(folder, "nowhere.onnx") }];
  await expect(writePackage(target, { ...contents, files }, { root: ROOT, write: {} })).rejects.toThrow(
    /ENOENT/,
  );
  expect(readdirSync(folder).filter((name) => name.includes("broken"))).toEqual([]);
});

it.each([
  [undefined, {}],
  [MEASURED, { threads: 1 }],
  [{ ...MEASURED, threads: null }, {}],
  [
    { ...MEASURED, threads: 1, batch_size: 32 },
    { threads: 1, micro_batching: { max_rows: 32, max_delay_ms: 0 } },
  ],
  [{ ...MEASURED, threads: 1, batch_size: 1 }, { threads: 1 }],
])("replicas of a package run as the last profile found best (%o)", (recommendation, runs) =>
  expect(runsAsProfiled(recommendation)).toEqual(runs),
);

it("the Kubernetes resources of a package are written as they are made", () => {
  const target = join(folder, "doubling-edge");
  const made = kubernetesFiles({
    name: "doubling",
    model: "doubling",
    version: "1",
    image: "doubling:1",
    recommendation: undefined,
  });
  for (const { file, document } of made) {
    const text = readFileSync(join(target, "kubernetes", file), "utf8");
    expect(text).toMatch(/^# .+\n/);
    expect(parse(text)).toEqual(document);
    expect(statSync(join(target, "kubernetes", file)).size).toBeGreaterThan(100);
  }
});

describe("a module around the model", () => {
  const TOWNS = `
import { size } from "./table.js";
export const preprocess = (rows) => rows.map(({ town, age }) => [size(town), age]);
export const postprocess = (predictions, rows) => predictions.map(([twice], at) => ({ town: rows[at].town, twice }));`;
  const TABLE = "exports.size = (town) => ({ Ulm: 10, Bern: 20 })[town];"; // CommonJS, as it is where it is deployed
  const rows = [
    { town: "Bern", age: 1 },
    { town: "Ulm", age: 2 },
  ];
  const answers = [
    { town: "Bern", twice: 40 },
    { town: "Ulm", twice: 20 },
  ];

  it("runs in the package of a version when it is named, with what it imports, and only as it was registered", {
    timeout: 60_000,
  }, async () => {
    const server = await startLeeway(join(folder, "data"));
    try {
      const form = new FormData();
      form.set("name", "towns");
      form.append("file", new Blob([readFileSync(doubling())]), "model.onnx");
      form.append("file", new Blob([TOWNS]), "code/towns.mjs");
      form.append("file", new Blob([TABLE]), "code/table.js");
      expect((await fetch(`${server.url}/v1/models`, { method: "POST", body: form })).status).toBe(201);
      const env = { LEEWAY_URL: server.url };
      const pack = (name: string, ...more: readonly string[]) =>
        leeway(["model", "package", "towns:1", join(folder, name), ...more], { env });

      expect(await pack("missing", "--allow-module", "towns.mjs")).toMatchObject({
        code: 2,
        stderr:
          "leeway: towns:1 has no file towns.mjs: register it with the model, or package without a module\n",
      });
      expect(await pack("with", "--allow-module", "code/towns.mjs")).toMatchObject({ code: 0 });
    } finally {
      await server.kill("SIGTERM");
    }
    await served(join(folder, "with/replica.js"), async (url) =>
      expect(await (await predict(url, "towns", rows)).json()).toEqual({ predictions: answers }),
    );
    writeFileSync(join(folder, "with/model/code/towns.mjs"), `${TOWNS}// changed`);
    const changed = spawn(process.execPath, [join(folder, "with/replica.js"), "--port", "0"]);
    const [said] = (await once(createInterface({ input: changed.stderr }), "line")) as [string];
    expect(JSON.parse(said)).toMatchObject({
      msg: expect.stringContaining("its module is not the one that was registered (the hash differs)"),
    });
  });
});
