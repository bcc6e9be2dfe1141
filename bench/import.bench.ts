import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database } from "../store/database.ts";
import { literal } from "../store/identifier.ts";
import { post, startServer } from "./ingest-client.ts";
import { median } from "./median.ts";

/**
 * How fast a table comes in: from the first byte of the upload until `leeway serve` has answered and every row is in the
 * tables, against DuckDB's own `insert … select from read_parquet` (or `read_csv`) of the same file into a typed table.
 * Repeats are interleaved, medians printed, and the most memory the server has taken.
 */
const ROWS = Number(process.env.ROWS ?? 1_000_000);
/** Sent before, for another model: the server has been at work for a while. */
const WARM_ROWS = 100_000;
const REPEATS = Number(process.env.REPEATS ?? 5);
const KINDS = { parquet: "application/vnd.apache.parquet", csv: "text/csv" } as const;
type Kind = keyof typeof KINDS;

const folder = mkdtempSync(join(tmpdir(), "leeway-bench-"));
const types = Array.from(
  { length: 20 },
  (_, f) => `feature_${f} ${f < 17 ? "double" : f < 19 ? "varchar" : "boolean"}`,
).join(", ");

/** Fourteen decimal numbers, three whole ones, two categories and a truth value, an output, an id, a time and a version. */
async function makeFile(kind: Kind, rows: number): Promise<string> {
  const file = join(folder, `rows-${rows}.${kind}`);
  const features = Array.from({ length: 20 }, (_, f) => {
    const value =
      f < 14
        ? "round(random() * 1e4) / 1e2"
        : f < 17
          ? "floor(random() * 1000)::double"
          : f < 19
            ? "['red', 'green', 'blue'][1 + i % 3]"
            : "i % 2 = 0";
    return `${value} as feature_${f}`;
  });
  const database = await Database.open(":memory:");
  const connection = await database.connect();
  await connection.run(
    `copy (select 'request-' || i as id, make_timestamptz(1760000000000000 + i * 1000000) as time, 'v1' as version,
       ${features.join(", ")}, random() as score from range(${rows}) t(i)) to ${literal(file)} (format ${kind})`,
  );
  connection.closeSync();
  await database.close();
  return file;
}

async function duckdbSeconds(kind: Kind, file: string): Promise<number> {
  const path = join(folder, "own.duckdb");
  const database = await Database.open(path);
  await database.transaction((tx) =>
    tx.run(`create table own (id varchar, time timestamptz, version varchar, ${types}, score double)`),
  );
  const started = performance.now();
  await database.transaction((tx) => tx.run(`insert into own from read_${kind}(${literal(file)})`));
  const seconds = (performance.now() - started) / 1000;
  await database.close();
  rmSync(path);
  return seconds;
}

async function importSeconds(kind: Kind, body: Uint8Array, warm: Uint8Array) {
  const dataDir = mkdtempSync(join(folder, "data-"));
  const server = await startServer(
    ["--import", "tsx", "app/cli.ts", "serve", "--port", "0"].concat("--data-dir", dataDir),
  );
  await post(server.port, "/v1/models/warm/records?outputs=score", warm, KINDS[kind]);
  const path = "/v1/models/bench/records?outputs=score";
  const started = performance.now();
  const answer = JSON.parse(await post(server.port, path, body, KINDS[kind])) as { readonly stored: number };
  const seconds = (performance.now() - started) / 1000;
  if (answer.stored !== ROWS) throw new Error(`${answer.stored} of ${ROWS} rows stored`);
  const again = performance.now();
  await post(server.port, path, body, KINDS[kind]);
  const againSeconds = (performance.now() - again) / 1000;
  const most = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, "utf8"))?.[1];
  await server.stop();
  rmSync(dataDir, { recursive: true });
  return { seconds, againSeconds, mostBytes: Number(most) * 1024 };
}

async function measure(kind: Kind) {
  const file = await makeFile(kind, ROWS);
  const body = readFileSync(file);
  const warm = readFileSync(await makeFile(kind, WARM_ROWS));
  const own: number[] = [];
  const ours: Awaited<ReturnType<typeof importSeconds>>[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    own.push(await duckdbSeconds(kind, file));
    ours.push(await importSeconds(kind, body, warm));
  }
  const result = {
    rows: ROWS,
    file_bytes: statSync(file).size,
    duckdb_rows_per_second: Math.round(ROWS / median(own)),
    leeway_rows_per_second: Math.round(ROWS / median(ours.map(({ seconds }) => seconds))),
    ratio: Math.round((median(own) / median(ours.map(({ seconds }) => seconds))) * 1000) / 1000,
    sent_again_rows_per_second: Math.round(ROWS / median(ours.map(({ againSeconds }) => againSeconds))),
    most_memory_bytes: Math.max(...ours.map(({ mostBytes }) => mostBytes)),
    each_seconds: own.map((seconds, i) => [round(seconds), round(ours[i]?.seconds ?? 0)]),
  };
  rmSync(file);
  return result;
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}

try {
  const result = { bench: "import", parquet: await measure("parquet"), csv: await measure("csv") };
  console.log(JSON.stringify(result, null, 2));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
