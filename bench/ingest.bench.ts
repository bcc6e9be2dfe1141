import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import autocannon from "autocannon";
import { literal } from "../store/identifier.ts";
import { post, postAll, startBuiltLeeway, startServer } from "./ingest-client.ts";
import { batch, type RecordKind, record } from "./ingest-records.ts";
import { median } from "./median.ts";

/**
 * How fast records come in at `leeway serve` as it is built (run `npm run build` first). Batches: NDJSON of 20 features,
 * until all are acknowledged and in the tables, against DuckDB's own `insert … select from read_json` of the same rows
 * into a typed table. Single records: 32 connections, against a bare Hono route that parses the same body and stores
 * nothing. Repeats are interleaved, medians printed.
 */
const ROWS = Number(process.env.ROWS ?? 1_000_000);
const BATCH_ROWS = 1_000;
const REPEATS = 3;
const SECONDS = 5;

const folder = mkdtempSync(join(tmpdir(), "leeway-bench-"));

function typesOf(kind: RecordKind): string {
  const type = (f: number) => (kind === "doubles" || f < 17 ? "double" : f < 19 ? "varchar" : "boolean");
  return Array.from({ length: 20 }, (_, f) => `feature_${f} ${type(f)}`).join(", ");
}

/** With DuckDB's own settings, which take all processors and most of the memory. */
async function duckdbSeconds(kind: RecordKind, file: string): Promise<number> {
  const path = join(folder, "own.duckdb");
  const instance = await DuckDBInstance.create(path);
  const connection = await instance.connect();
  const types = typesOf(kind);
  await connection.run(
    `create table own (id varchar, time timestamptz, version varchar, ${types}, score double)`,
  );
  const started = performance.now();
  await connection.run(`insert into own
    select id, time, version, unnest(inputs), unnest(outputs)
    from read_json(${literal(file)}, format = 'newline_delimited', columns = {id: 'varchar', time: 'timestamptz',
      version: 'varchar', inputs: 'struct(${types})', outputs: 'struct(score double)'})`);
  const seconds = (performance.now() - started) / 1000;
  connection.closeSync();
  instance.closeSync();
  rmSync(path);
  return seconds;
}

async function ingestSeconds(bodies: readonly Uint8Array[]): Promise<number> {
  const dataDir = mkdtempSync(join(folder, "data-"));
  const server = await startBuiltLeeway(dataDir);
  const warm = Buffer.from('{"id":"warm","inputs":{"x":1}}\n');
  await post(server.port, "/v1/models/bench/records", warm, "application/x-ndjson");
  const started = performance.now();
  await postAll(server.port, "/v1/models/bench/records", bodies, 4);
  // An export moves everything into the tables before it reads them; that of an empty window reads nothing.
  const path = "/v1/models/bench/records?from=1970-01-01T00:00:00Z&to=1970-01-02T00:00:00Z";
  await (await fetch(`http://127.0.0.1:${server.port}${path}`)).arrayBuffer();
  const seconds = (performance.now() - started) / 1000;
  await server.stop();
  rmSync(dataDir, { recursive: true });
  return seconds;
}

async function batches(kind: RecordKind) {
  const bodies = Array.from({ length: ROWS / BATCH_ROWS }, (_, b) =>
    batch(kind, b * BATCH_ROWS, (b + 1) * BATCH_ROWS),
  );
  const file = join(folder, "rows.ndjson");
  writeFileSync(file, "");
  for (const body of bodies) appendFileSync(file, body);
  const own: number[] = [];
  const ours: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    own.push(await duckdbSeconds(kind, file));
    ours.push(await ingestSeconds(bodies));
  }
  rmSync(file);
  const [duckdb, leeway] = [ROWS / median(own), ROWS / median(ours)];
  return {
    rows: ROWS,
    duckdb_rows_per_second: Math.round(duckdb),
    leeway_rows_per_second: Math.round(leeway),
    ratio: round(leeway / duckdb),
  };
}

async function requestsPerSecond(url: string, seconds: number): Promise<number> {
  const body = record("mixed", 0).replace("request-0", "[<id>]");
  const result = await autocannon({
    url,
    connections: 32,
    duration: seconds,
    method: "POST",
    idReplacement: true,
    headers: { "content-type": "application/json" },
    body,
  });
  if (result.non2xx > 0 || result.errors > 0)
    throw new Error(`${url}: ${result.non2xx} refused, ${result.errors} failed`);
  return result.requests.average;
}

async function singles() {
  const dataDir = mkdtempSync(join(folder, "data-"));
  const bare = await startServer(["--import", "tsx", "bench/bare-server.ts"]);
  const leeway = await startBuiltLeeway(dataDir);
  const bareUrl = `http://127.0.0.1:${bare.port}/v1/models/bench/records`;
  const leewayUrl = `http://127.0.0.1:${leeway.port}/v1/models/bench/records`;
  for (const url of [bareUrl, leewayUrl]) await requestsPerSecond(url, 2);
  const [bareRates, leewayRates]: [number[], number[]] = [[], []];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    bareRates.push(await requestsPerSecond(bareUrl, SECONDS));
    leewayRates.push(await requestsPerSecond(leewayUrl, SECONDS));
  }
  await Promise.all([bare.stop(), leeway.stop()]);
  return {
    connections: 32,
    bare_requests_per_second: Math.round(median(bareRates)),
    leeway_requests_per_second: Math.round(median(leewayRates)),
    ratio: round(median(leewayRates) / median(bareRates)),
  };
}

function round(ratio: number): number {
  return Math.round(ratio * 1000) / 1000;
}

try {
  const result = {
    bench: "ingest",
    batches_mixed: await batches("mixed"),
    batches_doubles: await batches("doubles"),
    singles: await singles(),
  };
  console.log(JSON.stringify(result, null, 2));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
