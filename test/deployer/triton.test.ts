import { execFile, execFileSync } from "node:child_process";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, it } from "vitest";
import type { Replica } from "../../deployer/replica/replica.ts";
import { onnxFile } from "./onnx-file.ts";
import { adding, modelFolder, planned, planOf, replicaOn } from "./replica-on.ts";

const run = promisify(execFile);

/** A Python that knows Triton's client: the one that is named, or the one of the PATH. */
const python = [process.env.LEEWAY_TRITON_PYTHON, "python3"].find((program) => {
  try {
    if (program === undefined) return false;
    execFileSync(program, ["-c", "import tritonclient.http"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});
const WITHOUT =
  "needs Triton's client: pip install tritonclient[http], or name a Python that has it in LEEWAY_TRITON_PYTHON";

const folder = modelFolder();
const running: Replica[] = [];
afterAll(async () => {
  await Promise.all(running.map((replica) => replica.drain(0)));
  folder.remove();
});

async function serve(model: string, bytes: Uint8Array): Promise<string> {
  const version = await planned({ model_file: folder.write(`${model}.onnx`, bytes) });
  const replica = await replicaOn(planOf([version], { model }));
  running.push(replica);
  return new URL(replica.url).host;
}

it.skipIf(python === undefined)(`does what Triton's own client asks (${WITHOUT})`, async () => {
  const texts = { shape: ["n", 2], type: 8 };
  const identity = onnxFile({
    nodes: [{ op: "Identity", inputs: ["x"], outputs: ["y"] }],
    inputs: [{ name: "x", ...texts }],
    outputs: [{ name: "y", ...texts }],
  });
  const [model, words] = [await serve("model", adding(1)), await serve("words", identity)];
  const { stdout } = await run(python ?? "", [join(import.meta.dirname, "triton-client.py"), model, words]);
  const sum = [
    [2.5, 3],
    [-2, 1.25],
  ];
  expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")).toEqual({
    health: [true, true, true, true],
    "not ready": [false, false],
    server: ["binary_tensor_data", "model_repository", "statistics"],
    model: {
      name: "model",
      versions: ["1"],
      platform: "onnx_onnxv1",
      inputs: [{ name: "x", datatype: "FP32", shape: [-1, 2] }],
      outputs: [{ name: "y", datatype: "FP32", shape: [-1, 2] }],
    },
    binary: sum,
    json: sum,
    mixed: [sum, sum],
    "no outputs named": sum,
    answer: { model_name: "model", model_version: "1", id: "order-17" },
    compressed: [sum, sum],
    "at once": Array.from({ length: 20 }, (_, at) => String(at)),
    texts: ["Zürich €", ""],
    index: [{ name: "model", version: "1", state: "READY", reason: "" }],
    counted: [56, 28],
    "all statistics": ["model"],
    "unknown model": ["404", 'model "other" is not served here: there is model'],
    "wrong width": ["400", expect.stringContaining('"x"')],
    "wrong type": ["400", 'input "x" is INT64 and the model takes FP32'],
    load: ["400", "what is served here is decided by leeway deploy, not by this call"],
  });
});
