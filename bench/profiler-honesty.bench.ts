import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import autocannon from "autocannon";
import type { ArrivalKind } from "../profiler/generator/arrivals.ts";
import { decodeHistogram, percentileMs } from "../profiler/latency-histogram.ts";
import { LoadGenerator } from "../profiler/load-generator.ts";

/**
 * What load generators say of services whose latency is known: a constant 20 ms, and 5 ms with a stall of one second.
 * Ours beside autocannon at the same rate, with its correction for coordinated omission and without. `SECONDS=10 RATE=100`
 */
const SECONDS = Number(process.env.SECONDS ?? 10);
const RATE = Number(process.env.RATE ?? 100);

let stallFrom = Number.POSITIVE_INFINITY;
let latencyMs = 20;
const server = createServer((_, response) => {
  const now = performance.now();
  const stall = now >= stallFrom && now < stallFrom + 1_000 ? stallFrom + 1_000 - now : 0;
  setTimeout(() => response.end("{}"), latencyMs + stall);
}).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

const generator = await LoadGenerator.start({ requests: 1e9, ms: 1e9 });
generator.aim({
  origin,
  method: "GET",
  path: "/",
  headers: {},
  payloads: [new Uint8Array()],
  success: { statuses: [[200, 299]] },
  timeoutMs: 10_000,
  connections: 512,
});

async function ours(arrivals: ArrivalKind): Promise<string> {
  const order = {
    kind: "open",
    rate: RATE,
    arrivals,
    seed: 1,
    durationMs: 1_000 * SECONDS,
    most: 1e9,
  } as const;
  const { latency, lateness, ok } = await generator.run(order);
  const [measured, late] = [decodeHistogram(latency), decodeHistogram(lateness)];
  return `${percentileMs(measured, 50).toFixed(1)} | ${percentileMs(measured, 99).toFixed(1)} | ${ok} | ${measured.totalCount} | ${percentileMs(late, 99).toFixed(2)}`;
}

async function theirs(correction: "corrected" | "plain"): Promise<string> {
  const result = await autocannon({
    url: origin,
    connections: 10,
    duration: SECONDS,
    overallRate: RATE,
    ignoreCoordinatedOmission: correction === "plain",
  });
  const { p50, p99, totalCount } = result.latency as autocannon.Histogram & { readonly totalCount: number }; // not in its types
  return `${p50} | ${p99} | ${result["2xx"]} | ${totalCount} | -`;
}

const rows: string[] = [];
for (const service of ["constant 20 ms", "5 ms, and a stall of 1 s"] as const) {
  for (const [name, load] of [
    ["leeway, constant arrivals", () => ours("constant")],
    ["leeway, Poisson arrivals", () => ours("poisson")],
    ["autocannon, corrected", () => theirs("corrected")],
    ["autocannon, uncorrected", () => theirs("plain")],
  ] as const) {
    latencyMs = service.startsWith("constant") ? 20 : 5;
    stallFrom = service.startsWith("constant") ? Number.POSITIVE_INFINITY : performance.now() + 500 * SECONDS;
    rows.push(`| ${service} | ${name} | ${await load()} |`);
  }
}
await generator.close();
server.close();
process.stdout.write(
  `${RATE}/s for ${SECONDS} s\n\n| service | generator | p50 ms | p99 ms | answers | recorded latencies | own lateness p99 ms |\n|---|---|---|---|---|---|---|\n${rows.join("\n")}\n`,
);
