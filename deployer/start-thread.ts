import { Worker } from "node:worker_threads";

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
