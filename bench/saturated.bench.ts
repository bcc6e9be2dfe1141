import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { planned, planOf, slow } from "../test/deployer/replica-on.ts";
import { median } from "./median.ts";

/**
 * What health and metrics take while more calls come for a model of 100 ms than it can answer: median and slowest of one
 * look each 50 ms. The replica is the program as it is built (npm run build). MICRO_BATCH=16 has it run up to so many
 * instances at once, and shows what that is worth with a model whose run takes hardly longer for many than for one.
 */
const SECONDS = Number(process.env.SECONDS ?? 8);
const CALLERS = Number(process.env.CALLERS ?? 32);
const MICRO_BATCH = Number(process.env.MICRO_BATCH ?? 0);
const BAR_MS = 100;
const ROUNDS = 100_000; // about 1 µs each

const folder = mkdtempSync(join(tmpdir(), "leeway-bench-saturated-"));
const model = join(folder, "slow.onnx");
writeFileSync(model, slow(ROUNDS));
const plan = planOf([await planned({ model_file: model })], {
  limits: { max_wait_ms: 60_000, timeout_ms: 60_000 },
  ...(MICRO_BATCH > 0 ? { micro_batching: { max_rows: MICRO_BATCH, max_delay_ms: 5 } } : {}),
});
writeFileSync(join(folder, "plan.json"), JSON.stringify(plan));
const program = join(import.meta.dirname, "../dist/app/cli.js");
const child = spawn(
  process.execPath,
  [program, "replica", "--json", "--plan", join(folder, "plan.json"), "--port", "0"],
  { stdio: ["ignore", "pipe", "inherit"] },
);
try {
  let url: string | undefined;
  for await (const line of createInterface({ input: child.stdout })) {
    url = /"url":"([^"]+)"/.exec(line)?.[1];
    if (url !== undefined) break;
  }
  if (url === undefined) throw new Error("the replica has no address");
  await measure(url);
} finally {
  child.kill("SIGKILL");
  await once(child, "exit");
  rmSync(folder, { recursive: true, force: true });
}

async function measure(url: string): Promise<void> {
  const deadline = performance.now() + SECONDS * 1000;
  const tookMs: number[] = [];
  const caller = async () => {
    while (performance.now() < deadline) {
      const asked = performance.now();
      const body = '{"instances": [[1, 2]]}';
      const answer = await fetch(`${url}/v1/models/model:predict`, { method: "POST", body });
      await answer.text();
      if (answer.status === 200) tookMs.push(performance.now() - asked);
    }
  };
  const callers = Array.from({ length: CALLERS }, caller);
  await new Promise((resolve) => setTimeout(resolve, 500));
  const looks: Record<string, number[]> = { "/healthz": [], "/readyz": [], "/metrics": [] };
  while (performance.now() < deadline) {
    for (const [path, times] of Object.entries(looks)) {
      const asked = performance.now();
      const answer = await fetch(url + path);
      await answer.text();
      if (answer.status !== 200) throw new Error(`${path} answers ${answer.status}`);
      times.push(performance.now() - asked);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  await Promise.all(callers);
  const round = (ms: number) => Math.round(ms * 10) / 10;
  const found = Object.entries(looks).map(([path, times]) => [
    path,
    { looks: times.length, median_ms: round(median(times)), slowest_ms: round(Math.max(...times)) },
  ]);
  console.log(
    JSON.stringify({
      benchmark: "saturated",
      callers: CALLERS,
      micro_batch: MICRO_BATCH,
      calls: tookMs.length,
      call_median_ms: round(median(tookMs)),
      ...Object.fromEntries(found),
      bar_ms: BAR_MS,
    }),
  );
  if (Object.values(looks).some((times) => median(times) >= BAR_MS)) process.exitCode = 1;
}
