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
 * medians printed. FORM says how the calls are written: object, v1 or v2. Every part is a process of its own; the collector is a sink that answers at once.
 */
const REPEATS = Number(process.env.REPEATS ?? 5);
const SECONDS = Number(process.env.SECONDS ?? 4);
const LATENCY_CALLS = Number(process.env.LATENCY_CALLS ?? 2_500);
const CONNECTIONS = 32;

/** Bodies differ, as those of callers do: what repeats costs next to nothing to compress. */
const BODIES = 64;
const FORM = process.env.FORM ?? "object";

/** Numbers of 17 digits, as model inputs have them once anything has been computed. */
function numbersOf(call: number): number[] {
  return Array.from({ length: 15 }, (_, f) => Math.sin(f + 1 + call * 0.37) * 10 ** (f % 5));
}

/** How 20 features of one instance are asked about: as an object, or as two protocols have it. */
const FORMS: Readonly<Record<string, { readonly path: string; readonly body: (call: number) => unknown }>> = {
  object: {
    path: "/score",
    body: (call) => ({
      ...Object.fromEntries(numbersOf(call).map((value, f) => [`feature_${f}`, value])),
      ...Object.fromEntries([15, 16, 17].map((f) => [`feature_${f}`, `category-${(call * f) % 13}`])),
      ...{ feature_18: call % 2 === 0, feature_19: call % 3 === 0 },
    }),
  },
  v1: {
    path: "/v1/models/bench:predict",
    body: (call) => ({ instances: [[...numbersOf(call), 0, 1, 2, 3, 4]] }),
  },
  v2: {
    path: "/v2/models/bench/infer",
    body: (call) => ({
      inputs: [{ name: "x", shape: [1, 20], datatype: "FP64", data: [...numbersOf(call), 0, 1, 2, 3, 4] }],
    }),
  },
};

const form = FORMS[FORM];
if (!form) throw new RangeError(`FORM is one of ${Object.keys(FORMS).join(", ")}`);
const { path, body } = form;
const texts = Array.from({ length: BODIES }, (_, call) => JSON.stringify(body(call)));

interface Load {
  readonly perSecond: number;
  readonly cpuMicros: number;
}

async function load(target: Running): Promise<Load> {
  const cpuBefore = cpuSeconds(target);
  const { requests, non2xx, errors } = await autocannon({
    url: target.url,
    connections: CONNECTIONS,
    duration: SECONDS,
    requests: texts.map((text) => ({
      method: "POST",
      path,
      headers: { "content-type": "application/json" },
      body: text,
    })),
  });
  if (non2xx > 0 || errors > 0) throw new Error(`${target.url}: ${non2xx} refused, ${errors} failed`);
  return {
    perSecond: requests.average,
    cpuMicros: ((cpuSeconds(target) - cpuBefore) * 1e6) / requests.total,
  };
}

async function medianLatencyMs(target: Running): Promise<number> {
  const { latenciesMs, failed } = await callSteadily(
    `${target.url}${path}`,
    {
      perSecond: 500,
      bodyOf: (call) => ({ id: `call-${call}-${Date.now()}`, text: texts[call % BODIES] as string }), // there are as many
    },
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
        form: FORM,
        repeats: REPEATS,
        throughput: {
          connections: CONNECTIONS,
          body_bytes: median(texts.map((text) => text.length)),
          bare_requests_per_second: Math.round(median(loads.map((each) => each.bare.perSecond))),
          sidecar_requests_per_second: Math.round(median(loads.map((each) => each.sidecar.perSecond))),
          ratio: round(median(loads.map((each) => each.sidecar.perSecond / each.bare.perSecond))),
          ratio_of_cpu: round(median(loads.map((each) => each.bare.cpuMicros / each.sidecar.cpuMicros))),
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
