import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { built } from "../built-program.ts";
import { leeway, makeFolder } from "./leeway.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const folder = makeFolder();
afterAll(() => folder.remove());

// Two milliseconds of CPU time per request, and a ready path.
const SERVICE = `
const { createServer } = require("node:http");
createServer((request, response) => {
  request.resume();
  request.on("end", () => {
    const until = performance.now() + 2;
    if (request.url === "/score") while (performance.now() < until);
    response.statusCode = request.url === "/score" || request.url === "/ready" ? 200 : 404;
    response.end("{}");
  });
}).listen(process.env.PORT, "127.0.0.1");`;
const script = join(folder.path, "service.cjs");
const payloads = join(folder.path, "rows.csv");
writeFileSync(script, SERVICE);
writeFileSync(payloads, "age,name\n31,a\n42,b\n");
const target = [
  "--command",
  `node ${script}`,
  "--ready",
  "/ready",
  "--path",
  "/score",
  "--payloads",
  payloads,
];

/** Control groups that a profiler of this process id made. */
function groupsOf(pid: number | undefined): string[] {
  const below = (folder: string, depth: number): string[] =>
    namesIn(folder).flatMap((name) => {
      if (name.startsWith(`leeway-${pid}-`)) return [join(folder, name)];
      return depth > 0 && !name.includes(".") ? below(join(folder, name), depth - 1) : [];
    });
  return below("/sys/fs/cgroup", 4);
}

/** Processes whose command line holds the text. */
function processesOf(text: string): string[] {
  return namesIn("/proc").filter((name) => {
    try {
      return /^\d+$/.test(name) && readFileSync(`/proc/${name}/cmdline`, "utf8").includes(text);
    } catch {
      return false; // ended meanwhile
    }
  });
}

function parentOf(pid: string): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

describe("leeway profile run", () => {
  it("leaves no process and no control group behind when it is interrupted", async () => {
    const child = spawn(
      process.execPath,
      [built("app/cli.ts"), "profile", "run", ...target].concat("--rate", "20", "--slo", "p99=1s", "--quick"),
      { cwd: ROOT, stdio: ["ignore", "ignore", "pipe"] },
    );
    let words = "";
    child.stderr.on("data", (part: Buffer) => {
      words += part;
    });
    await expect.poll(() => words, { timeout: 30_000 }).toMatch(/throughput|CPU time/);
    expect(processesOf(script).length).toBeGreaterThan(1); // the service, and the profiler that was told its name
    const generators = processesOf("generator/program").filter((pid) => parentOf(pid) === child.pid);
    expect(generators.length).toBeGreaterThan(0);
    child.kill("SIGINT");
    const [code] = (await once(child, "close")) as [number | null];
    expect(code).toBe(1);
    expect(words).toContain("stopped by SIGINT");
    expect(processesOf(script)).toEqual([]);
    expect(groupsOf(child.pid)).toEqual([]);
    expect(processesOf("generator/program").filter((pid) => generators.includes(pid))).toEqual([]);
  });

  it("is used wrongly without a target", async () => {
    const { code, stderr } = await leeway(["profile", "run", "--rate", "10", "--slo", "p99=50ms"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/--command.*or --url/);
  });

  it("says why nothing can be measured: every request is refused", async () => {
    const { code, stderr } = await leeway([
      "profile",
      "run",
      "--command",
      `node ${script}`,
      "--path",
      "/nowhere",
      "--rate",
      "5",
      "--slo",
      "p99=1s",
      "--quick",
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/answered no request well \(404 \d+ times\).*--path/);
    expect(processesOf(script)).toEqual([]);
  });
});
