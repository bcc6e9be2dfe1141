import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import type { DeploymentStatus } from "../../schema/deployment.ts";
import type { ModelVersion } from "../../schema/model-version.ts";
import { onnxFile } from "../deployer/onnx-file.ts";
import { leeway, makeFolder, type Served, serve } from "./leeway.ts";

const folder = makeFolder();
let server: Served;

beforeAll(async () => {
  server = await serve(["--data-dir", join(folder.path, "data")]);
}, 60_000);
afterAll(async () => {
  await fetch(`${server.url}/v1/deployments/halves`, { method: "DELETE" });
  await server.stop();
  folder.remove();
});

async function run(...words: readonly string[]): Promise<string> {
  const ended = await leeway(words, { cwd: folder.path, env: { LEEWAY_URL: server.url } });
  expect(ended, ended.stderr).toMatchObject({ code: 0 });
  return ended.stdout;
}

const versionOf = async (number: number) =>
  (await (await fetch(`${server.url}/v1/models/halves/versions/${number}`)).json()) as ModelVersion;

it("a version with weights and code beside its model is made over, and is deployed as it was", {
  timeout: 60_000,
}, async () => {
  const of = join(folder.path, "halves");
  for (const name of ["code", "net"]) mkdirSync(join(of, name), { recursive: true });
  const wide = { shape: ["n", 2] };
  writeFileSync(
    join(of, "net/halves.onnx"),
    onnxFile({
      nodes: [
        { op: "Add", inputs: ["quarter", "quarter"], outputs: ["half"] },
        { op: "Mul", inputs: ["x", "half"], outputs: ["halved"] },
        { op: "Add", inputs: ["halved", "quarter"], outputs: ["y"] },
      ],
      inputs: [{ name: "x", ...wide }],
      outputs: [{ name: "y", ...wide }],
      constants: [{ name: "quarter", type: 1, dims: [2], location: "weights.bin" }],
    }),
  );
  writeFileSync(join(of, "net/weights.bin"), Buffer.from(Float32Array.of(0.25, 0.25).buffer));
  writeFileSync(
    join(of, "code/rows.mjs"),
    "export const preprocess = (rows) => rows.map(({ a, b }) => [a, b]);",
  );
  writeFileSync(join(folder.path, "requirements.txt"), "skl2onnx\n");
  await run("model", "register", "halves", of, "--environment", "requirements.txt", "--no-git");

  const dry = JSON.parse(await run("model", "optimize", "halves:1", "--dry-run", "--json"));
  expect(dry).toMatchObject({ verdict: "same" });
  expect((await fetch(`${server.url}/v1/models/halves/versions/2`)).status).toBe(404);
  expect(await run("model", "optimise", "halves:1", "--alias", "champion")).toMatch(
    /^halves:1: the same answers to \d+ instances.*registered as halves:2\n$/s,
  );
  const [before, after] = [await versionOf(1), await versionOf(2)];
  expect(after.lineage).toMatchObject({ parent: "1", environment_file: "requirements.txt" });
  expect(after.properties).toMatchObject({ "parity.largest_difference": "0.00e+0" });
  expect(after.signature).toEqual(before.signature);
  expect(after.files.map(({ path }) => path)).toEqual([
    "code/rows.mjs",
    "net/halves.onnx",
    "net/weights.bin",
    "requirements.txt",
  ]);

  const spec = {
    model: "halves",
    versions: [{ version: "@champion", weight: 100 }],
    module: "code/rows.mjs",
    capture: { enabled: false },
  };
  const put = await fetch(`${server.url}/v1/deployments/halves`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(spec),
  });
  const { status } = (await put.json()) as DeploymentStatus;
  const answer = await fetch(`${status.url}/v1/models/halves:predict`, {
    method: "POST",
    body: JSON.stringify({ instances: [{ a: 3, b: 5 }] }),
  });
  expect(await answer.json()).toEqual({ predictions: [[1.75, 2.75]] });
  expect(status.versions.map(({ version }) => version)).toEqual(["2"]);
});
