import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Replica } from "../../deployer/replica/replica.ts";
import { oneNode, onnxFile } from "./onnx-file.ts";
import { modelFolder, planned, planOf, replicaOn } from "./replica-on.ts";

const run = promisify(execFile);
const GUIDE = join(import.meta.dirname, "../../docs/deploying.md");
/** Where the guide's deployment is. */
const ADDRESS = "http://127.0.0.1:8430";

/** Each call of curl in the guide that goes to the deployment, its continued lines together. */
const calls = readFileSync(GUIDE, "utf8")
  .replaceAll("\\\n", "")
  .split("\n")
  .filter((line) => line.startsWith("curl ") && line.includes(ADDRESS));
const haveCurl = (() => {
  try {
    execFileSync("curl", ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

const folder = modelFolder();
const running: Replica[] = [];
afterAll(async () => {
  await Promise.all(running.map((replica) => replica.drain(0)));
  folder.remove();
});

describe.skipIf(!haveCurl)("the guide's calls (they need curl)", () => {
  const urls = { open: "", keyed: "" };
  beforeAll(async () => {
    const bytes = onnxFile({
      ...oneNode({ op: "Add", inputs: ["X", "w"] }),
      inputs: [{ name: "X", shape: ["n", 6] }],
      outputs: [{ name: "y", shape: ["n", 6] }],
      constants: [{ name: "w", type: 1, dims: [6], floats: [1, 1, 1, 1, 1, 1] }],
    });
    const version = await planned({ model_file: folder.write("power.onnx", bytes) });
    const key = createHash("sha256").update("a-long-and-random-text").digest("hex");
    const auth = { key_hashes: [`sha256:${key}`] };
    const replicas = [
      await replicaOn(planOf([version], { model: "power" })),
      await replicaOn(planOf([version], { model: "power", auth })),
    ] as const;
    running.push(...replicas);
    [urls.open, urls.keyed] = [replicas[0].url, replicas[1].url];
  });

  it("are there", () => expect(calls.length).toBeGreaterThan(3));

  it.each(calls)("%s", async (call) => {
    const url = call.includes("authorization: Bearer") ? urls.keyed : urls.open;
    const { stdout } = await run("sh", ["-c", `${call.replaceAll(ADDRESS, url)} -s -w '\\n%{http_code}'`]);
    const [answer = "", status] = stdout.trim().split("\n");
    expect([status, answer]).toEqual(["200", expect.stringMatching(/^\{.*(?:outputs|predictions)/)]);
  });
});
