import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { configOf } from "../app/config-schema.ts";
import { createLog } from "../app/log.ts";
import { createMetrics } from "../app/metrics.ts";
import { openParts } from "../app/parts.ts";
import { applyRetention } from "../app/retention.ts";
import { batch } from "./ingest-records.ts";
import { median } from "./median.ts";

// How fast retention deletes records of 20 features, a label for every second, and what requests of ten records, sent one
// after the other meanwhile, wait for their acknowledgement.
const ROWS = Number(process.env.ROWS ?? 1_000_000);
const DELETED_SHARE = 0.75;
const START_MS = 1_760_000_000_000; // of the records

const dataDir = mkdtempSync(join(tmpdir(), "leeway-bench-retention-"));
const config = configOf({ data_dir: dataDir, retention_age: "1h" });
const end = new Date(START_MS + ROWS * 1_000 * DELETED_SHARE + 3_600_000);
const parts = await openParts({
  config,
  publicUrl: () => "http://localhost",
  metrics: createMetrics({ version: "bench" }),
  log: createLog({ level: "silent" }),
  now: () => end,
  random: Math.random,
});
try {
  for (let from = 0; from < ROWS; from += 5_000) {
    await parts.collector.receiveRecords("bench", {
      bytes: batch("mixed", from, from + 5_000),
      format: "ndjson",
    });
    const labels = Array.from(
      { length: 2_500 },
      (_, i) => `{"id":"request-${from + 2 * i}","label":${i % 2}}\n`,
    );
    await parts.collector.receiveLabels("bench", { bytes: Buffer.from(labels.join("")), format: "ndjson" });
  }
  await parts.collector.flush();
  const quiet = await waits(async () => sleep(3_000));
  const counting = performance.now();
  await parts.hourCounts.refresh("bench", { from: new Date(0), to: end });
  const countedMs = performance.now() - counting;
  const started = performance.now();
  let report: Awaited<ReturnType<typeof applyRetention>> | undefined;
  const busy = await waits(async () => {
    report = await applyRetention(parts, config);
  });
  const seconds = (performance.now() - started) / 1_000;
  console.log(
    JSON.stringify({
      bench: "retention",
      rows: ROWS,
      counted_hours_ms: Math.round(countedMs),
      deleted_records: report?.records,
      deleted_labels: report?.labels,
      seconds: Number(seconds.toFixed(1)),
      records_per_second: Math.round((report?.records ?? 0) / seconds),
      wait_ms_quiet: quiet,
      wait_ms_while_deleting: busy,
    }),
  );
} finally {
  await parts.close();
  rmSync(dataDir, { recursive: true, force: true });
}

/** What requests wait while something is done. */
async function waits(work: () => Promise<void>) {
  let state: "going-on" | "done" = "going-on";
  const found: number[] = [];
  const sending = (async () => {
    for (let i = 0; state === "going-on"; i++) {
      const bytes = batch("mixed", ROWS + i * 10, ROWS + i * 10 + 10);
      const sent = performance.now();
      await parts.collector.receiveRecords("other", { bytes, format: "ndjson" });
      found.push(performance.now() - sent);
      await sleep(5);
    }
  })();
  const ticking = (async () => {
    for (; state === "going-on"; await sleep(1_000)) await parts.collector.tick();
  })();
  await work();
  state = "done";
  await Promise.all([sending, ticking]);
  const sorted = found.toSorted((a, b) => a - b);
  return {
    requests: found.length,
    median: Number(median(found).toFixed(1)),
    p99: Number((sorted[Math.floor(found.length * 0.99)] ?? 0).toFixed(1)),
    most: Number((sorted.at(-1) ?? 0).toFixed(1)),
  };
}
