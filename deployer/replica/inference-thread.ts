// A thread of a replica: it runs one model, so that the replica answers other calls meanwhile.
import { parentPort, workerData } from "node:worker_threads";
import { wordsOf } from "../onnx/check-model.ts";
import { OnnxSession } from "../onnx/session.ts";
import { END } from "../start-thread.ts";
import {
  buffersOf,
  type FromThread,
  type RunRequest,
  type ThreadStart,
  type ToThread,
} from "./thread-messages.ts";

const { modelFile, threads } = workerData as ThreadStart;
const port = parentPort;
if (!port) throw new TypeError("this is a program for a thread");
const session = OnnxSession.load(modelFile, { threads });
const say = (message: FromThread, transfer: ArrayBuffer[] = []) => port.postMessage(message, transfer);

/** One after the other: the time of a run is then its own, and not that of those before it. */
let last: Promise<void> = Promise.resolve();
port.on("message", (message: ToThread) => {
  last = last.then(() => (message === END ? port.close() : run(message)));
});
say({ say: "ready" });

async function run({ id, inputs }: RunRequest): Promise<void> {
  try {
    const started = performance.now();
    const outputs = session.run(inputs);
    const runMs = performance.now() - started;
    say({ say: "done", id, outputs, runMs }, buffersOf(outputs));
  } catch (error) {
    say({ say: "failed", id, why: wordsOf(error) });
  }
}
