// A thread of a replica: it runs one model, so that the replica answers other calls meanwhile.
import { parentPort, workerData } from "node:worker_threads";
import { wordsOf } from "../onnx/check-model.ts";
import type { RawTensor } from "../onnx/raw-tensor.ts";
import { OnnxSession } from "../onnx/session.ts";
import type { FromThread, ThreadStart, ToThread } from "./thread-messages.ts";

const { modelFile, threads } = workerData as ThreadStart;
const port = parentPort;
if (!port) throw new TypeError("this is a program for a thread");
const session = await OnnxSession.load(modelFile, { threads });
const say = (message: FromThread, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);

port.on("message", async (message: ToThread) => {
  try {
    const started = performance.now();
    const outputs = await session.run(message.inputs);
    const runMs = performance.now() - started;
    say({ say: "done", id: message.id, outputs, runMs }, buffersOf(outputs));
  } catch (error) {
    say({ say: "failed", id: message.id, why: wordsOf(error) });
  }
});
say({ say: "ready" });

/** Only arrays that are the whole of their buffer can be handed over; others are copied. */
function buffersOf(tensors: readonly RawTensor[]): ArrayBuffer[] {
  return tensors.flatMap(({ data }) =>
    "buffer" in data && data.byteLength === data.buffer.byteLength ? [data.buffer] : [],
  );
}
