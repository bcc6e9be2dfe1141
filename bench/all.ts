import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Runs every benchmark in this folder, or the ones named: `npm run bench -- ingest compare`. */
const wanted = process.argv.slice(2);
const scripts = readdirSync(import.meta.dirname)
  .filter((name) => name.endsWith(".bench.ts"))
  .filter((name) => wanted.length === 0 || wanted.includes(name.replace(".bench.ts", "")));
for (const name of scripts) {
  const { status } = spawnSync(process.execPath, ["--import", "tsx", join(import.meta.dirname, name)], {
    stdio: "inherit",
  });
  if (status !== 0) process.exitCode = 1;
}
