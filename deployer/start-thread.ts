import { once } from "node:events";
import { Worker } from "node:worker_threads";

/** The last message to a thread: it ends when it is through with those before. */
export const END = "end";

/**
 * Starts a program of this project in a thread.
 *
 * @param program - As it is called when built (`.js`): from the sources its source is meant, and the thread needs the
 *   loader of TypeScript that this one has.
 */
export function startThread(program: URL, workerData: unknown): Worker {
  if (!import.meta.url.endsWith(".ts")) return new Worker(program, { workerData });
  const source = JSON.stringify(program.href.replace(/\.js$/, ".ts"));
  const loader = JSON.stringify(import.meta.resolve("tsx/esm/api")); // found from here, wherever the process was started
  const code = `import(${loader}).then(({ register }) => { register(); return import(${source}); })`;
  return new Worker(code, { eval: true, execArgv: [], workerData });
}

/**
 * Has a thread end by itself. One that is ended from outside while the model runs takes the whole process along: what the
 * runtime wants to say then, nobody can be told any more, and it aborts.
 */
export async function endThread(worker: Worker): Promise<void> {
  if (worker.threadId === -1) return; // it has ended
  const ended = once(worker, "exit");
  worker.ref();
  worker.postMessage(END);
  await ended;
}
