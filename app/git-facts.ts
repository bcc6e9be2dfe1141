import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Lineage } from "../schema/model-version.ts";

const run = promisify(execFile);
const PATIENCE_MS = 10_000;

/** Where the files of this folder are from, when it is in a git work tree and git is there to be asked. */
export async function gitFacts(folder: string): Promise<Lineage["git"]> {
  const git = async (...args: readonly string[]) => {
    const { stdout } = await run("git", ["-C", folder, ...args], {
      timeout: PATIENCE_MS,
      env: { ...process.env, GIT_OPTIONAL_LOCKS: "0" }, // looking at it must not get in the way of others at work there
    });
    return stdout.trim();
  };
  const optional = (...args: readonly string[]) => git(...args).catch(() => "");
  const commit = await optional("rev-parse", "--verify", "HEAD");
  if (commit === "") return undefined;
  const [branch, repository, changes] = await Promise.all([
    optional("symbolic-ref", "--short", "HEAD"),
    optional("config", "--get", "remote.origin.url"),
    // Files that git does not know say nothing of the code: the model itself is one of them.
    git("status", "--porcelain", "--untracked-files=no").catch(() => undefined),
  ]);
  return {
    commit,
    ...(branch === "" ? {} : { branch }),
    ...(repository === "" ? {} : { repository: withoutPassword(repository) }),
    ...(changes === undefined ? {} : { dirty: changes !== "" }),
  };
}

/** Addresses of remotes may hold a password or a token, which is nobody's business. */
function withoutPassword(address: string): string {
  if (!URL.canParse(address)) return address;
  const url = new URL(address);
  url.username = "";
  url.password = "";
  return url.href;
}
