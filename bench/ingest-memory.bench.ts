import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Database } from "../store/database.ts";
import { countRows } from "../store/record-keys.ts";
import { post, startBuiltLeeway } from "./ingest-client.ts";
import { batch } from "./ingest-records.ts";

// How much memory taking in 5,000,000 records of 20 features needs: `leeway serve` as it is built, with its own settings, batches of 1,000 over four
// connections. Bar: the process stays below 700 MB.
const ROWS = Number(process.env.ROWS ?? 5_000_000);
const BATCH_ROWS = 1_000;
const CONNECTIONS = 4;
const BAR_MB = 700;

const dataDir = mkdtempSync(join(tmpdir(), "leeway-bench-memory-"));
const { port, pid, stop } = await startBuiltLeeway(dataDir);
try {
  const beforeMb = memoryOf(pid, "VmRSS");
  const started = performance.now();
  let next = 0;
  let refused = 0;
  const send = async () => {
    for (let from = next; from < ROWS; from = next) {
      next += BATCH_ROWS;
      const body = batch("mixed", from, Math.min(from + BATCH_ROWS, ROWS));
      const answer = await post(port, "/v1/models/bench/records", body, "application/x-ndjson");
      refused += JSON.parse(answer).rejected;
      if (from % 500_000 === 0) {
        console.error(`${from} records sent, the process holds ${memoryOf(pid, "VmRSS")} MB`);
      }
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, send));
  const seconds = (performance.now() - started) / 1000;
  await allLoaded();
  const afterMb = memoryOf(pid, "VmRSS");
  const peakMb = memoryOf(pid, "VmHWM");
  await stop();
  const stored = await rowsStored();
  console.log(
    JSON.stringify({
      bench: "ingest-memory",
      rows: ROWS,
      features: 20,
      stored,
      refused,
      rss_before_mb: beforeMb,
      rss_peak_mb: peakMb,
      rss_after_mb: afterMb,
      seconds: Math.round(seconds),
      database_mb: Math.round(statSync(join(dataDir, "leeway.duckdb")).size / 1e6),
      bar: `rss_peak_mb < ${BAR_MB}`,
    }),
  );
  if (stored !== ROWS || peakMb >= BAR_MB) process.exitCode = 1;
} finally {
  await stop();
  rmSync(dataDir, { recursive: true, force: true });
}

/** Resident memory as Linux counts it, in MB of 10^6 bytes: now (`VmRSS`) or the most there ever was (`VmHWM`). */
function memoryOf(pid: number, what: "VmRSS" | "VmHWM"): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Math.round((Number(new RegExp(`${what}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024) / 1e6);
}

/** Waits until nothing is in the journal only. */
async function allLoaded(): Promise<void> {
  for (;;) {
    const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
    if (/^leeway_ingest_backlog_bytes 0$/m.test(metrics)) return;
    await sleep(500);
  }
}

async function rowsStored(): Promise<number> {
  const database = await Database.open(join(dataDir, "leeway.duckdb"));
  const rows = await countRows(database, "records_bench");
  await database.close();
  return rows;
}
