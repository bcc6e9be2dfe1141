import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { CaptureClient } from "../collector/client/capture-client.ts";
import { median } from "./median.ts";

// What a scored call pays for being recorded by a client: the time in `capture` (Node) and in `collect` (Python), of a record of 20
// features and one output, at about 2,000 calls per second and process, while `leeway serve` takes the records in. No bar.
const CALLS = Number(process.env.CALLS ?? 10_000);
const ROOT = join(import.meta.dirname, "..");

const PROGRAM = `
import json, os, time
from leeway_collector import Collector
def measure(model, make):
    inputs, outputs = Collector(name="model_inputs", model=model), Collector(name="model_outputs", model=model)
    micros = []
    for i in range(int(os.environ["CALLS"])):
        row = {f"f{k}": i / (k + 1) for k in range(20)}
        data, result = make(row), make({"score": 0.5})
        started = time.perf_counter()
        outputs.collect(result, inputs.collect(data))
        micros.append((time.perf_counter() - started) * 1e6)
        if i % 2 == 0: time.sleep(0.001)
    inputs.flush(30)
    print(json.dumps({"micros": micros, **inputs.stats}), flush=True)
measure("python-dict", lambda row: row)
try:
    import pandas
    measure("python-frame", lambda row: pandas.DataFrame([row]))
except ImportError:
    pass
`;

const folder = mkdtempSync(join(tmpdir(), "leeway-bench-clients-"));
const server = spawn(
  process.execPath,
  ["--import", "tsx", join(ROOT, "app/cli.ts"), "serve", "--port", "0", "--data-dir", folder],
  { stdio: ["ignore", "pipe", "inherit"] },
);
try {
  const url = await listening();
  const node = await ofNode(url);
  const [rows, frames] = await ofPython(url);
  console.log(
    JSON.stringify({
      bench: "clients",
      calls: CALLS,
      features: 20,
      node,
      python_dict: rows,
      python_frame: frames,
    }),
  );
} finally {
  server.kill("SIGTERM");
  await once(server, "close");
  rmSync(folder, { recursive: true, force: true });
}

async function listening(): Promise<string> {
  for await (const line of createInterface({ input: server.stdout })) {
    const url = /"url":"([^"]+)".*"msg":"listening"/.exec(line)?.[1];
    if (url) return url;
  }
  throw new Error("leeway serve ended");
}

async function ofNode(url: string): Promise<object> {
  const client = new CaptureClient({ collector: url, model: "node" });
  const micros: number[] = [];
  for (let i = 0; i < CALLS; i++) {
    const inputs = Object.fromEntries(Array.from({ length: 20 }, (_, k) => [`f${k}`, i / (k + 1)]));
    const started = performance.now();
    client.capture({ inputs, outputs: { score: 0.5 }, status: 200 });
    micros.push((performance.now() - started) * 1000);
    if (i % 2 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
  }
  return { ...spread(micros), ...(await client.close()) };
}

async function ofPython(url: string): Promise<object[]> {
  const child = spawn("python3", ["-B", "-c", PROGRAM], {
    env: { ...process.env, PYTHONPATH: join(ROOT, "clients/python"), LEEWAY_URL: url, CALLS: String(CALLS) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  const results: object[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    const { micros, ...stats } = JSON.parse(line) as { readonly micros: number[] };
    results.push({ ...spread(micros), ...stats });
  }
  return results;
}

function spread(micros: readonly number[]): object {
  const sorted = [...micros].sort((a, b) => a - b);
  const at = (share: number) => Math.round(sorted[Math.floor(sorted.length * share)] ?? Number.NaN);
  return { median_us: Math.round(median(micros)), p99_us: at(0.99), max_us: at(1 - 1 / sorted.length) };
}
