import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { packageRoot } from "../app/package-root.ts";
import type { RetrainReport } from "../schema/retrain.ts";

const run = promisify(execFile);

/** Which code trained: repository, branch and commit, and whether files were changed since. Nothing where git cannot say. */
export async function codeState(): Promise<Pick<RetrainReport, "code">> {
  const git = async (...args: readonly string[]) =>
    (await run("git", ["-C", packageRoot, ...args], { encoding: "utf8" })).stdout.trim();
  try {
    const [commit, branch, changes] = await Promise.all([
      git("rev-parse", "HEAD"),
      git("rev-parse", "--abbrev-ref", "HEAD"),
      git("status", "--porcelain"),
    ]);
    return { code: { repository: "leeway", branch, commit, dirty: changes !== "" } };
  } catch {
    return {}; // unpacked without its history
  }
}
