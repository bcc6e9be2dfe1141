import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import autocannon from "autocannon";
import { median } from "./median.ts";
import { cpuSeconds, metricsOf, type Running, startPart, startSidecar } from "./sidecar-processes.ts";
import { callSteadily } from "./steady-calls.ts";

/**
 * What the sidecar costs beside a bare Node reverse proxy that captures nothing: requests per second with 32 connections,
 * CPU time per request, and the latency that each adds at 500 requests a second. Repeats are interleaved and their
 * medians printed. Every part is a process of its own; the collector is a sink that answers at once.
 */
const REPEATS = Number(process.env.REPEATS ?? 5);
const SECONDS = Number(process.env.SECONDS ?? 4);
const LATENCY_CALLS = Number(process.env.LATENCY_CALLS ?? 2_500);
const CONNECTIONS = 32;

/** A request as a service for tables gets it: 20 features of one instance. */
const BODY = JSON.stringify(
  Object.fromEntries(
    Array.from({ length: 20 }, (_, f) => [
      `feature_${f}`,
      f < 15 ? Math.sin(f + 1) * 10 ** (f % 5) : f < 18 ? `category-${f}` : f % 2 === 0,
    ]),
  ),
);

interface Load {
  readonly perSecond: number;
  readonly cpuMicros: number;
}

async function load(target: Running): Promise<Load> {
  const cpuBefore = cpuSeconds(target);
  const { requests, non2xx, errors } = await autocannon({
    url: `${target.url}/score`,
    connections: CONNECTIONS,
    duration: SECONDS,
    method: "POST",
    headers: { "content-type": "application/json" },
    body: BODY,
  });
  if (non2xx > 0 || errors > 0) throw new Error(`${target.url}: ${non2xx} refused, ${errors} failed`);
  return {
    perSecond: requests.average,
    cpuMicros: ((cpuSeconds(target) - cpuBefore) * 1e6) / requests.total,
  };
}

async function medianLatencyMs(target: Running): Promise<number> {
  const { latenciesMs, failed } = await callSteadily(
    `${target.url}/score`,
    { perSecond: 500, bodyOf: (call) => ({ id: `call-${call}-${Date.now()}`, text: BODY }) },
    (call) => call === LATENCY_CALLS,
  );
  if (failed > 0) throw new Error(`${target.url}: ${failed} calls failed`);
  return median(latenciesMs);
}

function round(value: number, digits = 3): number {
  return Number(value.toFixed(digits));
}

const folder = mkdtempSync(join(tmpdir(), "leeway-bench-sidecar-"));
const service = await startPart("service");
const sink = await startPart("sink");
const bare = await startPart("bare", service.url);
const sidecar = await startSidecar([
  ...["--upstream", service.url, "--collector", sink.url, "--model", "bench", "--spool-dir", folder],
]);
try {
  for (const target of [bare, sidecar]) await load(target); // until the code is compiled
  const loads: { bare: Load; sidecar: Load }[] = [];
  const latencies: { direct: number; bare: number; sidecar: number }[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    const first = repeat % 2 === 0 ? bare : sidecar;
    const [a, b] = [await load(first), await load(first === bare ? sidecar : bare)];
    loads.push(first === bare ? { bare: a, sidecar: b } : { bare: b, sidecar: a });
    latencies.push({
      direct: await medianLatencyMs(service),
      bare: await medianLatencyMs(bare),
      sidecar: await medianLatencyMs(sidecar),
    });
  }
  const metrics = await metricsOf(sidecar);
  console.log(
    JSON.stringify(
      {
        bench: "sidecar",
        repeats: REPEATS,
        throughput: {
          connections: CONNECTIONS,
          body_bytes: BODY.length,
          bare_requests_per_second: Math.round(median(loads.map((each) => each.bare.perSecond))),
          sidecar_requests_per_second: Math.round(median(loads.map((each) => each.sidecar.perSecond))),
          ratio: round(median(loads.map((each) => each.sidecar.perSecond / each.bare.perSecond))),
          bare_cpu_us_per_request: round(median(loads.map((each) => each.bare.cpuMicros)), 1),
          sidecar_cpu_us_per_request: round(median(loads.map((each) => each.sidecar.cpuMicros)), 1),
        },
        latency_at_500_per_second: {
          direct_ms: round(median(latencies.map((each) => each.direct))),
          bare_ms: round(median(latencies.map((each) => each.bare))),
          sidecar_ms: round(median(latencies.map((each) => each.sidecar))),
          added_by_bare_ms: round(median(latencies.map((each) => each.bare - each.direct))),
          added_by_sidecar_ms: round(median(latencies.map((each) => each.sidecar - each.direct))),
        },
        captured_requests: metrics.get("captured_requests_total"),
        dropped_requests: metrics.get('dropped_requests_total{reason="memory"}'),
        sidecar_resident_bytes: metrics.get("process_resident_memory_bytes"),
      },
      null,
      2,
    ),
  );
} finally {
  await Promise.all([sidecar, bare, service, sink].map((part) => part.stop()));
  rmSync(folder, { recursive: true, force: true });
}
