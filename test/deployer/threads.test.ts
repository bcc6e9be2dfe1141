import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { built } from "../built-program.ts";
import { onnxFile } from "./onnx-file.ts";

const folder = mkdtempSync(join(tmpdir(), "leeway-test-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A model of so many steps over the same tensor. */
function chain(steps: number): string {
  const file = join(folder, `steps-${steps}.onnx`);
  writeFileSync(
    file,
    onnxFile({
      nodes: Array.from({ length: steps }, (_, i) => ({
        op: "Erf",
        inputs: [i === 0 ? "x" : `x${i}`],
        outputs: [i === steps - 1 ? "y" : `x${i + 1}`],
      })),
      inputs: [{ name: "x", shape: ["n", 1] }],
      outputs: [{ name: "y", shape: ["n", 1] }],
    }),
  );
  return file;
}

/** In a process of its own, since a thread that is ended wrongly takes the process along. */
function run(code: string): { readonly said: readonly string[]; readonly status: number | null } {
  const program = join(folder, "program.mjs");
  writeFileSync(program, code);
  const { stdout, status } = spawnSync(process.execPath, [program], { encoding: "utf8" });
  return { said: stdout.trim().split("\n"), status };
}

it("a model's thread ends when what it was asked is run, at whatever moment it is closed", () => {
  const result = run(`
    import { ModelThread } from ${JSON.stringify(built("deployer/replica/model-thread.ts"))};
    const input = { name: "x", datatype: "FP32", dims: [100_000, 1], data: new Float32Array(100_000) };
    for (let i = 0; i < 8; i++) {
      const thread = await ModelThread.start({ modelFile: ${JSON.stringify(chain(20))}, threads: 1 });
      const runs = [thread.run([input]), thread.run([input])];
      await new Promise((resolve) => setTimeout(resolve, i * 3));
      await thread.close();
      const [first, second] = await Promise.all(runs);
      console.log(first.outputs[0].dims[0] + second.outputs[0].dims[0]);
    }`);
  expect(result).toEqual({ said: Array.from({ length: 8 }, () => "200000"), status: 0 });
});

it("a thread of batch scoring leaves the part at hand when it is closed, and writes nothing of it", () => {
  const parts = join(folder, "parts");
  const result = run(`
    import { mkdirSync } from "node:fs";
    import { PartThread } from ${JSON.stringify(built("deployer/batch/part-thread.ts"))};
    mkdirSync(${JSON.stringify(parts)});
    const spec = { name: "x", datatype: "FP32", shape: ["n", 1] };
    const start = { modelFile: ${JSON.stringify(chain(2_000))}, signature: { inputs: [spec], outputs: [] }, taken: [],
      inputs: [{ name: "x", datatype: "FP32", columns: ["x"], form: "matrix" }] };
    for (let i = 0; i < 4; i++) {
      let close;
      const begun = new Promise((resolve) => { close = resolve; });
      const thread = new PartThread(start, close);
      const rows = 10_000_000;
      const path = ${JSON.stringify(parts)} + "/part";
      const scored = thread.score({ part: 0, from: 0, rows, columns: [new Float32Array(rows)], path, pageRows: [rows] }).catch((error) => error.message);
      if (i > 0) await begun;
      await thread.close();
      console.log(await scored);
    }`);
  const said = "the model cannot be run: it was stopped";
  expect(result).toEqual({ said: [said, said, said, said], status: 0 });
  expect(readdirSync(parts)).toEqual([]);
});
