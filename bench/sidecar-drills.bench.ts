import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { median } from "./median.ts";
import {
  metricsOf,
  type Running,
  type RunningSidecar,
  residentBytes,
  startPart,
  startServer,
  startSidecar,
} from "./sidecar-processes.ts";
import { callSteadily, type SteadyCalls } from "./steady-calls.ts";

/**
 * What goes wrong around a sidecar, on purpose: the collector is stopped for a minute, the sidecar is killed, the disk of
 * the spool is full, the collector answers a second late. Calls go on at a steady rate; afterwards what the sidecar
 * captured is compared with what the collector has. `DRILLS=outage,kill,disk,late SECONDS=60 RATE=300`
 */
const DRILLS = (process.env.DRILLS ?? "outage,kill,disk,late").split(",");
const SECONDS = Number(process.env.SECONDS ?? 60);
const RATE = Number(process.env.RATE ?? 300);
const CALM_SECONDS = Math.min(15, SECONDS);
const MODEL = "drill";

const folder = mkdtempSync(join(tmpdir(), "leeway-drill-"));
const running = new Set<Running>();

async function kept<T extends Running>(started: Promise<T>): Promise<T> {
  const program = await started;
  running.add(program);
  return program;
}

/**
 * A port that is free, for a collector that comes back where it was. Not one of those that the system hands out: it would
 * give it to somebody else in between.
 */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const server = createServer().listen(port, "127.0.0.1");
    const outcome = await Promise.race([
      once(server, "listening").then(() => "free" as const),
      once(server, "error").then(() => "taken" as const),
    ]).catch(() => "taken" as const);
    if (outcome === "taken") continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

/** A collector on a data folder of its own that can be started again where it was. */
async function collectorOf(drill: string) {
  const port = await freePort();
  const args = ["--port", String(port), "--data-dir", join(folder, drill, "data"), "--memory-limit", "300MB"];
  return { url: `http://127.0.0.1:${port}`, start: () => kept(startServer(args)) };
}

function sidecarFor(drill: string, service: Running, collector: string, more: readonly string[] = []) {
  const spool = ["--spool-dir", join(folder, drill, "spool")];
  return kept(
    startSidecar(["--upstream", service.url, "--model", MODEL, "--collector", collector, ...spool, ...more]),
  );
}

interface Phase extends SteadyCalls {
  /** Resident memory, once a second. */
  readonly residentBytes: readonly number[];
}

let calls = 0;

/** Calls for so long, each with an id and values of its own. */
async function phase(sidecar: RunningSidecar, seconds: number): Promise<Phase> {
  const resident: number[] = [];
  const sampler = setInterval(() => {
    try {
      resident.push(residentBytes(sidecar));
    } catch {
      // killed, as it should be
    }
  }, 1_000);
  const first = calls;
  const steady = await callSteadily(
    `${sidecar.url}/score`,
    { perSecond: RATE, bodyOf: () => ({ id: `call-${calls++}`, text: bodyText() }) },
    () => calls - first >= seconds * RATE,
  );
  clearInterval(sampler);
  return { ...steady, residentBytes: resident };
}

function bodyText(): string {
  const features = Array.from({ length: 20 }, (_, f) => [
    `feature_${f}`,
    f < 16 ? Math.random() * 100 : `category-${Math.floor(Math.random() * 9)}`,
  ]);
  return JSON.stringify(Object.fromEntries(features));
}

function told({ sent, failed, latenciesMs, residentBytes: resident }: Phase) {
  const sorted = [...latenciesMs].sort((a, b) => a - b);
  const mib = (bytes: number | undefined) => (bytes === undefined ? null : Math.round(bytes / 2 ** 20));
  return {
    calls: sent,
    failed,
    median_ms: round(median(latenciesMs)),
    p99_ms: round(sorted[Math.floor(sorted.length * 0.99)] ?? Number.NaN),
    resident_mib: { first: mib(resident[0]), last: mib(resident.at(-1)), most: mib(Math.max(...resident)) },
  };
}

function round(value: number): number {
  return Number(value.toFixed(3));
}

/** Waits until the sidecar holds nothing any more. */
async function drained(sidecar: RunningSidecar): Promise<ReadonlyMap<string, number>> {
  for (;;) {
    const metrics = await metricsOf(sidecar);
    const left = ["gathering_records", "waiting_records", "spooled_records"].map(
      (name) => metrics.get(name) ?? 0,
    );
    const unmade = count(metrics, "captured_requests_total") + count(metrics, "recovered_records_total");
    const made = count(metrics, "captured_records_total") + count(metrics, "recovered_records_total");
    if (left.every((records) => records === 0) && made === unmade) return metrics;
    await sleep(200);
  }
}

function count(metrics: ReadonlyMap<string, number>, name: string): number {
  let sum = 0;
  for (const [key, value] of metrics) if (key === name || key.startsWith(`${name}{`)) sum += value;
  return sum;
}

/** Records and different ids that the collector has, once it has `wanted` or no more come. */
async function storedBy(
  url: string,
  wanted: number,
): Promise<{ readonly records: number; readonly ids: number }> {
  const sql = `select count(*) as records, count(distinct record_id || ':' || row) as ids from ${MODEL}`;
  let before = -1;
  for (let unchanged = 0; ; ) {
    const answer = await fetch(`${url}/v1/query`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ sql }),
    });
    const { rows } = (await answer.json()) as { readonly rows?: readonly (readonly [number, number])[] };
    const [records, ids] = rows?.[0] ?? [0, 0];
    unchanged = records === before ? unchanged + 1 : 0;
    before = records;
    if (records === wanted || unchanged === 20) return { records, ids };
    await sleep(250);
  }
}

async function outage(service: Running) {
  const collector = await collectorOf("outage");
  let server = await collector.start();
  const sidecar = await sidecarFor("outage", service, collector.url);
  await phase(sidecar, 5); // until the code is compiled
  const calm = await phase(sidecar, CALM_SECONDS);
  await server.stop();
  const gone = await phase(sidecar, SECONDS);
  const atEnd = await metricsOf(sidecar);
  server = await collector.start();
  const back = await phase(sidecar, CALM_SECONDS);
  const metrics = await drained(sidecar);
  const captured = count(metrics, "captured_records_total");
  const stored = await storedBy(collector.url, captured);
  return {
    calm: told(calm),
    collector_gone: told(gone),
    collector_back: told(back),
    spooled_at_end_of_outage: { records: atEnd.get("spooled_records"), bytes: atEnd.get("spooled_bytes") },
    captured,
    stored: stored.records,
    doubled: stored.records - stored.ids,
    dropped: count(metrics, "dropped_records_total") + count(metrics, "dropped_requests_total"),
    answered_as_duplicates: metrics.get('sent_records_total{outcome="duplicate"}'),
  };
}

async function kill(service: Running) {
  const collector = await collectorOf("kill");
  let sidecar = await sidecarFor("kill", service, collector.url);
  const first = phase(sidecar, CALM_SECONDS);
  await sleep(CALM_SECONDS * 700);
  const before = await metricsOf(sidecar);
  await sidecar.stop("SIGKILL");
  const interrupted = await first;
  const onDisk = readdirSync(join(folder, "kill", "spool", MODEL)).flatMap(
    (name) => /-(\d+)\.ndjson(?:\.gz)?$/.exec(name)?.[1] ?? [],
  );
  const spooled = onDisk.reduce((sum, records) => sum + Number(records), 0);
  await collector.start();
  sidecar = await sidecarFor("kill", service, collector.url);
  const again = await phase(sidecar, 5);
  const metrics = await drained(sidecar);
  const wanted = spooled + again.sent;
  const stored = await storedBy(collector.url, wanted);
  return {
    captured_just_before_the_kill: count(before, "captured_requests_total"),
    on_disk_after_the_kill: spooled,
    answered_before_the_kill: interrupted.latenciesMs.length,
    recovered_at_start: metrics.get("recovered_records_total"),
    calls_after_restart: again.sent,
    failed_after_restart: again.failed,
    stored: stored.records,
    stored_as_wanted: stored.records === wanted ? "yes" : "no",
    doubled: stored.records - stored.ids,
  };
}

async function disk(service: Running) {
  const spool = join(folder, "disk", "spool");
  mkdirSync(spool, { recursive: true });
  const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=512k", "tmpfs", spool]).status === 0;
  try {
    const collector = await collectorOf("disk");
    const sizes = ["--memory", "1MiB", "--spool-size", mounted ? "1GiB" : "512KiB"];
    const sidecar = await sidecarFor("disk", service, collector.url, sizes);
    const full = await phase(sidecar, SECONDS / 2);
    const atEnd = await metricsOf(sidecar);
    await collector.start();
    const back = await phase(sidecar, 5);
    const metrics = await drained(sidecar);
    const captured = count(metrics, "captured_records_total");
    const dropped = count(metrics, "dropped_records_total");
    const stored = await storedBy(collector.url, captured - dropped);
    return {
      disk: mounted ? "a file system of 512 KiB" : "a limit of 512 KiB",
      disk_full: told(full),
      collector_back: told(back),
      spooled_bytes_at_end: atEnd.get("spooled_bytes"),
      waiting_bytes_at_end: atEnd.get("waiting_bytes"),
      captured,
      dropped_by_reason: Object.fromEntries(
        [...metrics].filter(([name, value]) => name.startsWith("dropped_") && value > 0),
      ),
      stored: stored.records,
      stored_as_counted: stored.records === captured - dropped ? "yes" : "no",
      doubled: stored.records - stored.ids,
    };
  } finally {
    await stopAll();
    if (mounted) spawnSync("umount", [spool]);
  }
}

async function late(service: Running) {
  const collector = await collectorOf("late");
  await collector.start();
  const delay = await kept(startPart("late", collector.url, "1000"));
  const direct = await sidecarFor("in-time", service, collector.url);
  await phase(direct, 5);
  const inTime = await phase(direct, CALM_SECONDS);
  await drained(direct);
  await direct.stop();
  const sidecar = await sidecarFor("late", service, delay.url);
  await phase(sidecar, 5);
  const slow = await phase(sidecar, CALM_SECONDS * 2);
  const metrics = await drained(sidecar);
  const captured = count(metrics, "captured_records_total") + inTime.sent + 5 * RATE;
  const stored = await storedBy(collector.url, captured);
  return {
    collector_in_time: told(inTime),
    collector_a_second_late: told(slow),
    captured,
    stored: stored.records,
    doubled: stored.records - stored.ids,
    dropped: count(metrics, "dropped_records_total") + count(metrics, "dropped_requests_total"),
    spooled_records: metrics.get("spooled_records"),
  };
}

async function stopAll(): Promise<void> {
  await Promise.all([...running].map((program) => program.stop()));
  running.clear();
}

const drills: Readonly<Record<string, (service: Running) => Promise<object>>> = { outage, kill, disk, late };
try {
  const results: Record<string, object> = {};
  for (const name of DRILLS) {
    const drill = drills[name];
    if (!drill) throw new RangeError(`there is no drill ${name}: expected ${Object.keys(drills).join(", ")}`);
    calls = 0;
    results[name] = await drill(await kept(startPart("service")));
    await stopAll();
  }
  console.log(
    JSON.stringify(
      { bench: "sidecar-drills", calls_per_second: RATE, seconds: SECONDS, ...results },
      null,
      2,
    ),
  );
} finally {
  await stopAll();
  rmSync(folder, { recursive: true, force: true });
}
