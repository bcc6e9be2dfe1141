import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { post, type ServerProcess, startBuiltLeeway } from "./ingest-client.ts";
import { record } from "./ingest-records.ts";
import { median } from "./median.ts";

/**
 * Deduplication among 20 million stored records of 20 features: `leeway serve` as it is built is filled and started
 * again; then new records come in, and old ones a second time. Bars: at least 80 % of the speed on an empty store, every
 * repeat told, less than 1 GB of memory. `STORED` changes how many records there are.
 */
const STORED = Number(process.env.STORED ?? 20_000_000);
const BATCH_ROWS = 1_000;
const MEASURED_ROWS = 500_000;
const REPEATS = 3;
const ID_DIGITS = 9;

const folder = mkdtempSync(join(tmpdir(), "leeway-bench-20m-"));
/** The same bodies again and again with other ids: making new ones would take as long as taking them in. */
const templates = Array.from({ length: 100 }, (_, b) => {
  const lines = Array.from({ length: BATCH_ROWS }, (_, i) =>
    record("mixed", b * BATCH_ROWS + i).replace(/"request-\d+"/, `"request-${"0".repeat(ID_DIGITS)}"`),
  );
  const body = Buffer.from(`${lines.join("\n")}\n`);
  const places: number[] = [];
  for (let at = body.indexOf("request-"); at !== -1; at = body.indexOf("request-", at + 1))
    places.push(at + 8);
  return { body, places };
});

/** A body with the ids `first` and those behind it; it holds until the template comes up again. */
function bodyFrom(first: number): Buffer {
  const template = templates[(first / BATCH_ROWS) % templates.length];
  if (!template) throw new RangeError(`no template for ${first}`);
  template.places.forEach((at, i) => {
    template.body.write(String(first + i).padStart(ID_DIGITS, "0"), at, "latin1");
  });
  return template.body;
}

async function send(server: ServerProcess, from: number, rows: number): Promise<void> {
  const batches = { from, to: from + rows };
  const connection = async () => {
    for (let first = batches.from; first < batches.to; first = batches.from) {
      batches.from += BATCH_ROWS;
      await post(server.port, "/v1/models/bench/records", bodyFrom(first), "application/x-ndjson");
    }
  };
  await Promise.all(Array.from({ length: 4 }, connection));
  await loaded(server);
}

/** An export moves everything into the tables before it reads them; that of an empty window reads nothing. */
async function loaded(server: ServerProcess): Promise<void> {
  const path = "/v1/models/bench/records?from=1970-01-01T00:00:00Z&to=1970-01-02T00:00:00Z";
  await (await fetch(`http://127.0.0.1:${server.port}${path}`)).arrayBuffer();
}

async function rowsPerSecond(server: ServerProcess, from: number): Promise<number> {
  const started = performance.now();
  await send(server, from, MEASURED_ROWS);
  return MEASURED_ROWS / ((performance.now() - started) / 1000);
}

async function empty(): Promise<number> {
  const dataDir = mkdtempSync(join(folder, "empty-"));
  const server = await startBuiltLeeway(dataDir);
  await send(server, 900_000_000, 10_000);
  const rate = await rowsPerSecond(server, 0);
  await server.stop();
  rmSync(dataDir, { recursive: true });
  return rate;
}

function peakMb(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Math.round((Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]) * 1024) / 1e6);
}

try {
  const dataDir = join(folder, "full");
  const filling = await startBuiltLeeway(dataDir);
  for (let from = 0; from < STORED; from += 1_000_000) {
    await send(filling, from, Math.min(1_000_000, STORED - from));
    if (from % 5_000_000 === 0) console.error(`${from} of ${STORED} records stored`);
  }
  const fillingPeak = peakMb(filling.pid);
  await filling.stop();

  const startedAt = performance.now();
  const full = await startBuiltLeeway(dataDir);
  const startSeconds = (performance.now() - startedAt) / 1000;
  const [onEmpty, onFull]: [number[], number[]] = [[], []];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    onEmpty.push(await empty());
    onFull.push(await rowsPerSecond(full, STORED + repeat * MEASURED_ROWS));
  }
  let duplicates = 0;
  const repeated = Array.from(
    { length: 200 },
    (_, i) => Math.floor((i * STORED) / 200 / BATCH_ROWS) * BATCH_ROWS,
  );
  for (const first of repeated) {
    const answer = JSON.parse(
      await post(full.port, "/v1/models/bench/records", bodyFrom(first), "application/x-ndjson"),
    );
    duplicates += answer.duplicates;
  }
  const fullPeak = peakMb(full.pid);
  await full.stop();
  const result = {
    bench: "ingest-20m",
    stored: STORED,
    empty_rows_per_second: Math.round(median(onEmpty)),
    full_rows_per_second: Math.round(median(onFull)),
    ratio: Math.round((median(onFull) / median(onEmpty)) * 1000) / 1000,
    repeated: repeated.length * BATCH_ROWS,
    duplicates,
    start_seconds: Math.round(startSeconds * 10) / 10,
    rss_peak_mb: Math.max(fillingPeak, fullPeak),
  };
  console.log(JSON.stringify(result, null, 2));
  if (duplicates !== result.repeated || result.rss_peak_mb >= 1_000) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
