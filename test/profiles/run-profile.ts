import { chmodSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { expect } from "vitest";
import { type Profile, profile } from "../../schema/profile.ts";
import { type Ended, leeway, makeFolder } from "../e2e/leeway.ts";

/** A scoring service in Python's standard library; 1 ms of CPU time per request unless told otherwise. */
export const PYTHON_SERVICE = `python3 ${join(import.meta.dirname, "../../bench/profiler-truth-service.py")}`;

/** A folder that other users may read, too. */
export function openFolder(): ReturnType<typeof makeFolder> {
  const folder = makeFolder();
  chmodSync(folder.path, 0o777);
  return folder;
}

/** Runs `leeway profile run` to its end and reads what it wrote. Its sizes are those of a machine that may be busy. */
export async function profileOf(
  folder: string,
  args: readonly string[],
  run: (args: readonly string[]) => Promise<Ended> = leeway,
): Promise<Profile & { readonly shown: string }> {
  const out = join(folder, "profile.json");
  rmSync(out, { force: true });
  const { code, stdout, stderr } = await run(["profile", "run", ...args, "--out", out]);
  expect([0, 3], stderr).toContain(code);
  const found = profile.parse(JSON.parse(readFileSync(out, "utf8")));
  expect(code).toBe(["fails", "disturbed"].includes(found.verified.verdict) ? 3 : 0);
  return { ...found, shown: stdout };
}
