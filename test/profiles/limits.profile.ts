import { spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { built } from "../built-program.ts";
import type { Ended } from "../e2e/leeway.ts";
import { leeway } from "../e2e/leeway.ts";
import { openFolder, PYTHON_SERVICE, profileOf } from "./run-profile.ts";

const MIB = 1024 * 1024;
const NOBODY = "65534";
const folder = openFolder();
afterAll(() => folder.remove());
const isRoot = process.getuid?.() === 0;
const post = ["--method", "POST"];
const short = [...post, "--quick", "--rate", "40", "--slo", "p95=400ms"];

/** A service that does something before it listens, and answers at once. */
function service(name: string, beforeListening: string, onRequest = ""): string {
  const file = join(folder.path, `${name}.py`);
  writeFileSync(
    file,
    `import os, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    def log_message(self, *args): pass
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        ${onRequest || "pass"}
        self.wfile.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}")
${beforeListening}
ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
`,
  );
  return `python3 ${file}`;
}

/** The built program in the name of a user who may do nothing special. */
async function asNobody(args: readonly string[]): Promise<Ended> {
  const words = [
    "--reuid",
    NOBODY,
    "--regid",
    NOBODY,
    "--clear-groups",
    process.execPath,
    built("app/cli.ts"),
  ];
  const child = spawn("setpriv", [...words, ...args], {
    cwd: "/",
    env: { PATH: "/usr/local/bin:/usr/bin:/bin", HOME: folder.path, TMPDIR: folder.path },
  });
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (part: Buffer) => {
    stdout += part;
  });
  child.stderr.on("data", (part: Buffer) => {
    stderr += part;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
}

describe("a service that needs more at its start than under load", () => {
  it("is given memory to start with", async ({ skip }) => {
    const command = service("much-memory", "held = bytearray(b'x') * 150_000_000; del held");
    const found = await profileOf(folder.path, ["--command", command, ...short, "--budget", "10"]);
    if (!found.machine.limiter.startsWith("cgroup")) return skip("memory cannot be limited here");
    expect(found.recommendation.memory_bytes).toBeGreaterThan(150e6);
    expect(found.recommendation.memory_bytes).toBeLessThan(300 * MIB);
    expect(found.verified.at_target.verdict).not.toBe("not-run"); // it got ready under this limit
  });

  it("is given CPU to be ready in time, which is tried, and both are said", async ({ skip }) => {
    const command = service(
      "much-cpu",
      "until = time.process_time() + 1\nwhile time.process_time() < until: pass",
    );
    const found = await profileOf(
      folder.path,
      ["--command", command, ...short, "--ready-timeout", "4"].concat("--budget", "25"),
    );
    if (!found.machine.limiter.startsWith("cgroup")) return skip("CPU cannot be limited here");
    expect(found.start.cpu_s).toBeGreaterThan(1);
    expect(found.start.limited).toBe("tried");
    expect(found.start.limited_ready_ms).toBeGreaterThan(1_500);
    expect(found.start.limited_ready_ms).toBeLessThan(4_000);
    expect(found.recommendation.cpu).toBeGreaterThanOrEqual(0.4); // a second in 80 % of four
    expect(found.start.raised_from).toBeLessThan(0.4);
    expect(found.reasons.join()).toContain("would not be ready in time");
    expect(found.shown).toMatch(/ready after .* under these limits/);
  });
});

describe("without root and without control groups", () => {
  it("whole cores are limited, and the profile says what it could not do", async ({ skip }) => {
    if (!isRoot) return skip("needs root, to become somebody else");
    mkdirSync(join(folder.path, "nobody"));
    chmodSync(join(folder.path, "nobody"), 0o777);
    const found = await profileOf(
      join(folder.path, "nobody"),
      ["--command", service("plain", ""), ...short, "--budget", "10"],
      asNobody,
    );
    expect(found.machine).toMatchObject({ limiter: "taskset", meter: "proc" });
    const lacking = new Map(found.machine.passed_over.map(({ kind, why }) => [kind, why]));
    expect([...lacking.keys()]).toEqual(["cgroup-v2", "cgroup-v1", "systemd-run"]);
    expect([...lacking.values()].every((why) => why.length > 0)).toBe(true);
    expect(found.reasons.join()).toContain("only whole cores could be limited");
    expect(found.recommendation.cpu).toBeLessThan(1); // calculated, and not called verified
    expect(found.verified.verdict).not.toBe("holds");
    expect(found.recommendation.memory_bytes).toBeGreaterThan(8 * MIB);
  });

  it("nothing at all has to be limited", async () => {
    const found = await profileOf(
      folder.path,
      ["--command", service("plain", ""), ...short, "--budget", "10"].concat("--limiter", "none"),
    );
    expect(found.machine).toMatchObject({ limiter: "none", meter: "proc" });
    expect(found.reasons.join()).toContain("nothing could be limited");
    expect(found.windows.every(({ cpu_limit }) => cpu_limit === null)).toBe(true);
    expect(found.verified.verdict).not.toBe("holds");
  });
});

it("memory is recommended for the largest bodies, however rare they are, and grows with them as said", async () => {
  const bodies = join(folder.path, "bodies.json");
  // One in a hundred has 4 MB; the service holds ten times the largest body it has seen.
  writeFileSync(bodies, JSON.stringify([...Array.from({ length: 99 }, () => "x"), "x".repeat(4_000_000)]));
  const command = service(
    "by-size",
    "kept = b''",
    "globals()['kept'] = max(globals()['kept'], body * 10, key=len)",
  );
  const found = await profileOf(
    folder.path,
    ["--command", command, ...short, "--payloads", bodies].concat("--budget", "10", "--rate", "5"),
  );
  expect(found.windows.filter(({ body_bytes }) => body_bytes === 4_000_002).length).toBe(1);
  expect(found.recommendation.memory_bytes).toBeGreaterThan(50 * MIB);
  expect(found.memory?.peak_bytes).toBeGreaterThan(40e6);
});

it("a long run shows a leak that a short one is too short for", async () => {
  const command = `${PYTHON_SERVICE} --cpu-ms 0.2 --leak-bytes 8192`;
  const found = await profileOf(
    folder.path,
    ["--command", command, ...post, "--quick", "--slo", "p95=400ms"].concat(
      "--rate",
      "100",
      "--budget",
      "10",
      "--soak",
      "12s",
    ),
  );
  expect(found.windows.filter(({ phase }) => phase === "soak").length).toBe(1);
  expect(found.memory).toMatchObject({ soak_s: 12, leak: { verdict: "leak-suspected" } });
  expect(found.memory?.leak.bytes_per_request).toBeGreaterThan(6_000);
  expect(found.memory?.leak.bytes_per_request).toBeLessThan(12_000);
  expect(found.reasons.join()).toContain("memory grows with every request");
});

it("no more requests are sent than may be, whatever else is asked for", async () => {
  const log = join(folder.path, "requests.log");
  appendFileSync(log, "");
  const command = service("counted", `log = open("${log}", "ab", 0)`, 'log.write(b"x")');
  const { code, stderr } = await leeway(
    ["profile", "run", "--command", command, ...short, "--max-requests", "200"].concat("--budget", "10"),
  );
  expect(code).toBe(1);
  expect(stderr).toContain("the bound of 200 requests");
  expect(existsSync(log) && readFileSync(log).length).toBeLessThanOrEqual(200);
  expect(readFileSync(log).length).toBeGreaterThan(100);
});
