// A thread of batch scoring: it runs one model over parts of a table and writes what came of each to a file.
import { parentPort, workerData } from "node:worker_threads";
import { ServiceError } from "../../schema/errors.ts";
import { takesBatches } from "../onnx/example-input.ts";
import { tensorOf } from "../onnx/raw-tensor.ts";
import { OnnxSession } from "../onnx/session.ts";
import { END } from "../start-thread.ts";
import { BatchInputs } from "./batch-inputs.ts";
import type { FromPartThread, PartThreadStart, PartToScore, ToPartThread } from "./part-messages.ts";
import { PredictionColumns } from "./prediction-columns.ts";
import { writePart } from "./scored-parts.ts";

const BATCH_ROWS = 4_096;
/** Progress is told about so often, and at the end of a part. */
const TOLD_ROWS = 32_768;

const { modelFile, signature, inputs, taken, stop } = workerData as PartThreadStart;
const port = parentPort;
if (!port) throw new TypeError("this is a program for a thread");
const say = (message: FromPartThread) => port.postMessage(message);
const batchRows = takesBatches(signature.inputs) ? BATCH_ROWS : 1;
const batchInputs = new BatchInputs(inputs);
const session = OnnxSession.load(modelFile, { threads: 1 });
port.on("message", (message: ToPartThread) => {
  if (message === END) port.close();
  else if (Atomics.load(stop, 0) === 0) void take(message);
});

async function take(part: PartToScore): Promise<void> {
  try {
    await writePart(part.path, score(part).frames(part.pageRows));
    say({ say: "written", part: part.part });
  } catch (error) {
    const code = error instanceof ServiceError ? error.code : undefined;
    say({
      say: "failed",
      part: part.part,
      code,
      why: error instanceof Error ? error.message : String(error),
    });
  }
}

function score({ columns, rows, from }: PartToScore): PredictionColumns {
  const predictions = new PredictionColumns(rows, signature, taken);
  let told = 0;
  for (let at = 0; at < rows; at += batchRows) {
    if (Atomics.load(stop, 0) === 1) throw new Error("it was stopped");
    const count = Math.min(batchRows, rows - at);
    const outputs = run(batchInputs.of(columns, at, count), from + at, count);
    predictions.put(outputs, at, count);
    if (at + count - told < TOLD_ROWS && at + count < rows) continue;
    say({ say: "rows", rows: at + count - told });
    told = at + count;
  }
  return predictions;
}

function run(batch: ReturnType<BatchInputs["of"]>, from: number, rows: number) {
  try {
    return session.run(batch).map(tensorOf);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ServiceError("upstream-failed", `rows ${from} to ${from + rows - 1}: ${reason}`, {
      cause: error,
    });
  }
}
