import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { built } from "../built-program.ts";
import { FIXTURES, haveFixtures, WITHOUT_FIXTURES } from "../fixtures.ts";

/** Control groups that the process has made. */
function groupsOf(pid: number | undefined): string[] {
  const root = "/sys/fs/cgroup";
  const controllers = existsSync(root) ? readdirSync(root) : [];
  return [root, ...controllers.map((name) => join(root, name))].flatMap((folder) => {
    try {
      return readdirSync(folder).filter((name) => name.startsWith(`leeway-${pid}-`));
    } catch {
      return []; // a file
    }
  });
}

/** Processes that descend from one, and those of their sessions, by the variable that all of them inherit. */
function processesWith(variable: string): string[] {
  return readdirSync("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/environ`, "utf8").includes(variable);
    } catch {
      return false; // ended meanwhile
    }
  });
}

it("nothing is left of several replicas and load generators when trying out threads is interrupted", async ({
  skip,
}) => {
  if (!haveFixtures || FIXTURES === undefined) return skip(WITHOUT_FIXTURES);
  const mark = `LEEWAY_TEST_MARK=interrupted-${process.pid}`;
  const child = spawn(
    process.execPath,
    [
      built("app/cli.ts"),
      "profile",
      "run",
      "--model",
      join(FIXTURES, "models/sklearn/elec2_logreg.onnx"),
    ].concat("--rate", "50", "--slo", "p99=1s", "--budget", "60"),
    {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, LEEWAY_TEST_MARK: `interrupted-${process.pid}` },
    },
  );
  let words = "";
  child.stderr.on("data", (part: Buffer) => {
    words += part;
  });
  await expect.poll(() => words, { timeout: 60_000 }).toMatch(/trying 1 thread/);
  await expect.poll(() => processesWith(mark).length, { timeout: 60_000 }).toBeGreaterThanOrEqual(5); // two of each, and the profiler
  child.kill("SIGINT");
  const [code] = (await once(child, "close")) as [number | null];
  expect(code, words).toBe(1);
  expect(words).toContain("stopped by SIGINT");
  expect(processesWith(mark)).toEqual([]);
  expect(groupsOf(child.pid)).toEqual([]);
});
