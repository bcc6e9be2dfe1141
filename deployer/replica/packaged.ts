// The program of a package (leeway model package): a replica with the plan that lies beside the file it is started by.
import { dirname, join, resolve } from "node:path";
import type { ReplicaLog } from "./replica-log.ts";
import { runReplica } from "./run-replica.ts";

const USAGE = "usage: node replica.js [--host 127.0.0.1] [--port 8430]";
const started = resolve(process.argv[1] ?? "");
const options = new Map<string, string>();
for (let at = 2; at < process.argv.length; at += 2) {
  const [name = "", value] = process.argv.slice(at, at + 2);
  if (!["--host", "--port"].includes(name) || value === undefined) {
    console.error(USAGE);
    process.exit(2);
  }
  options.set(name, value);
}

const log: ReplicaLog = (level, msg, fields) =>
  console.log(JSON.stringify({ level, time: new Date().toISOString(), ...fields, msg }));
const stopped = new Promise<string>((done) => {
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, done);
});
const port = options.get("--port") ?? process.env.PORT ?? "8430";
try {
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535)
    throw new RangeError(`port ${port} (--port, or PORT): expected a whole number from 0 to 65535`);
  await runReplica({
    planFile: join(dirname(started), "plan.json"),
    listen: {
      host: options.get("--host") ?? process.env.HOST ?? "127.0.0.1",
      port: Number(port),
    },
    version: "packaged",
    log,
    stopped,
  });
} catch (error) {
  console.error(
    JSON.stringify({ level: "error", msg: error instanceof Error ? error.message : String(error) }),
  );
  process.exitCode = 1;
}
