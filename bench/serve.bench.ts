import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import autocannon from "autocannon";
import { modelInspector } from "../deployer/inspect-model.ts";
import { median } from "./median.ts";
import { cpuSeconds, type Running, residentBytes, startPart } from "./sidecar-processes.ts";

/**
 * What a replica costs beside a bare loop of node:http, JSON.parse, onnxruntime and JSON.stringify on the same model and
 * the same V2 requests of one row, with 32 connections: capture off and on, and micro-batching. Server on processor 0, client and the sink
 * that takes what is captured on processor 1, where there is taskset. Repeats are interleaved, medians printed. The
 * replica is the program as it is built (npm run build), since a loader of TypeScript costs some of what is measured.
 *
 *     LEEWAY_FIXTURES=… npm run bench -- serve
 */
const REPEATS = Number(process.env.REPEATS ?? 5);
const SECONDS = Number(process.env.SECONDS ?? 3);
const CONNECTIONS = 32;
const MODELS = (process.env.MODELS ?? "elec2_logreg,elec2_rf,bike_gbr").split(",");
const BARS = { off: 0.85, on: 0.75 } as const;

const fixtures = process.env.LEEWAY_FIXTURES;
const ROOT = join(import.meta.dirname, "..");
const folder = mkdtempSync(join(tmpdir(), "leeway-bench-serve-"));
const PINNED = process.platform === "linux" ? ["taskset", "-c", "0"] : [];

/** On processor 0; the address is the first thing that the pattern finds in what it prints. */
async function startPinned(args: readonly string[], pattern: RegExp): Promise<Running> {
  const [command = process.execPath, ...rest] = [...PINNED, process.execPath, ...args];
  const child: ChildProcess = spawn(command, rest, { stdio: ["ignore", "pipe", "inherit"] });
  if (!child.stdout) throw new TypeError("started without a pipe");
  const found = await new Promise<string>((resolve, reject) => {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
      const [, address] = pattern.exec(line) ?? [];
      if (address !== undefined) resolve(address);
    });
    child.once("exit", (code) => reject(new Error(`ended with ${code}`)));
  });
  return {
    child,
    url: found.startsWith("http") ? found : `http://127.0.0.1:${found}`,
    stop: (signal = "SIGTERM") =>
      new Promise((resolve) => {
        child.once("exit", resolve);
        child.kill(signal);
      }),
  };
}

interface Load {
  readonly perSecond: number;
  readonly cpuMicros: number;
  readonly p50: number;
  readonly p99: number;
}

async function load(target: Running, texts: readonly string[], seconds: number): Promise<Load> {
  const before = cpuSeconds(target);
  const { requests, latency, non2xx, errors } = await autocannon({
    url: target.url,
    connections: CONNECTIONS,
    duration: seconds,
    requests: texts.map((body) => ({
      method: "POST",
      path: "/v2/models/m/infer",
      headers: { "content-type": "application/json" },
      body,
    })),
  });
  if (non2xx > 0 || errors > 0) throw new Error(`${non2xx} refused, ${errors} failed`);
  return {
    perSecond: requests.average,
    cpuMicros: ((cpuSeconds(target) - before) * 1e6) / requests.total,
    p50: latency.p50,
    p99: latency.p99,
  };
}

async function compare(model: string, sink: Running): Promise<void> {
  const file = join(fixtures ?? "", "models/sklearn", `${model}.onnx`);
  const golden = JSON.parse(
    readFileSync(join(fixtures ?? "", "models/sklearn/golden.json"), "utf8"),
  ) as Record<string, { readonly X: readonly (readonly number[])[] }>;
  const rows = golden[model]?.X.slice(0, 64) ?? [];
  const texts = rows.map((row) =>
    JSON.stringify({ inputs: [{ name: "X", shape: [1, row.length], datatype: "FP32", data: row }] }),
  );
  const found = await modelInspector(folder)(file, {});
  if (found.verdict !== "loads") throw new Error(found.reason);
  const planned = { version: "1", weight: 100, model_file: file, signature: found.signature };
  const plan = { deployment: "bench", number: 1, model: "m", threads: 1, versions: [planned] };
  const plans = {
    off: plan,
    on: { ...plan, capture: { collector: sink.url, sample: 1 } },
    batching: { ...plan, micro_batching: { max_rows: CONNECTIONS, max_delay_ms: 0 } },
  };
  const replica = (capture: keyof typeof plans) => {
    const path = join(folder, `${model}-${capture}.json`);
    writeFileSync(path, JSON.stringify(plans[capture]));
    const args = [join(ROOT, "dist/app/cli.js"), "replica", "--json", "--plan", path, "--port", "0"];
    return startPinned(args, /"url":"([^"]+)"/);
  };
  const targets = {
    bare: await startPinned([join(ROOT, "bench/serve-bare.mjs"), file], /^(\d+)$/),
    off: await replica("off"),
    on: await replica("on"),
    batching: await replica("batching"),
  };
  try {
    await measure(model, targets, texts);
  } finally {
    await Promise.all(Object.values(targets).map((target) => target.stop("SIGKILL")));
  }
}

type Targets = Readonly<Record<"bare" | "off" | "on" | "batching", Running>>;

async function measure(model: string, targets: Targets, texts: readonly string[]): Promise<void> {
  const loads: Record<keyof typeof targets, Load[]> = { bare: [], off: [], on: [], batching: [] };
  for (const target of Object.values(targets)) await load(target, texts, 2);
  for (let repeat = 0; repeat < REPEATS; repeat++)
    for (const name of ["bare", "off", "on", "batching"] as const)
      loads[name].push(await load(targets[name], texts, SECONDS));
  const middle = (name: keyof typeof targets, of: keyof Load) => median(loads[name].map((each) => each[of]));
  const report = (name: keyof typeof targets) => ({
    requests_per_second: Math.round(middle(name, "perSecond")),
    p50_ms: middle(name, "p50"),
    p99_ms: middle(name, "p99"),
    cpu_us_per_request: Math.round(middle(name, "cpuMicros") * 10) / 10,
    resident_mb: Math.round(residentBytes(targets[name]) / 1e6),
  });
  const ratio = (name: "off" | "on" | "batching") =>
    Math.round((1000 * middle(name, "perSecond")) / middle("bare", "perSecond")) / 1000;
  const cpuRatio = (name: "off" | "on" | "batching") =>
    Math.round((1000 * middle("bare", "cpuMicros")) / middle(name, "cpuMicros")) / 1000;
  const result = {
    benchmark: "serve",
    model,
    bare: report("bare"),
    capture_off: { ...report("off"), of_bare: ratio("off"), of_bare_by_cpu: cpuRatio("off"), bar: BARS.off },
    capture_on: { ...report("on"), of_bare: ratio("on"), of_bare_by_cpu: cpuRatio("on"), bar: BARS.on },
    micro_batching: {
      ...report("batching"),
      of_bare: ratio("batching"),
      of_bare_by_cpu: cpuRatio("batching"),
    },
  };
  console.log(JSON.stringify(result));
  if (ratio("off") < BARS.off || ratio("on") < BARS.on) process.exitCode = 1;
}

if (fixtures === undefined) console.log("serve needs the reference data: set LEEWAY_FIXTURES to its folder");
else {
  if (process.platform === "linux") spawn("taskset", ["-cp", "1", String(process.pid)], { stdio: "ignore" });
  const sink = await startPart("sink");
  try {
    for (const model of MODELS) await compare(model, sink);
  } finally {
    await sink.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}
