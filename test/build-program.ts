import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { TestProject } from "vitest/node";

const ROOT = join(import.meta.dirname, "..");
/** Inside the package, so that what is built there finds its package.json and its dependencies. */
const BUILDS = join(ROOT, ".tmp/built");

/**
 * Before the first test of a run: builds the program anew, for the processes that the tests start (see
 * `built-program.ts`). Each run has a folder of its own, so that two runs at the same time do not meet, nor does it
 * touch `dist/`. Types are not checked here: a source that does not type-check yet can still be tested.
 */
export default function setup(project: TestProject): () => void {
  removeThoseOfKilledRuns();
  const folder = join(BUILDS, String(process.pid));
  const build = () => {
    const { status, stdout } = spawnSync(
      process.execPath,
      [join(ROOT, "node_modules/typescript/bin/tsc"), "--project", join(ROOT, "tsconfig.build.json")].concat([
        "--noCheck",
        "--declaration",
        "false",
        "--outDir",
        folder,
      ]),
      { cwd: ROOT, encoding: "utf8" },
    );
    if (status !== 0) throw new Error(`the program cannot be built for the tests:\n${stdout}`);
  };
  build();
  project.provide("built", folder);
  project.onTestsRerun(async () => build()); // vitest --watch
  return () => rmSync(folder, { recursive: true, force: true });
}

function removeThoseOfKilledRuns(): void {
  mkdirSync(BUILDS, { recursive: true });
  for (const pid of readdirSync(BUILDS)) {
    try {
      process.kill(Number(pid), 0);
    } catch {
      rmSync(join(BUILDS, pid), { recursive: true, force: true });
    }
  }
}

declare module "vitest" {
  interface ProvidedContext {
    /** Folder of the program as it was built for this run. */
    readonly built: string;
  }
}
