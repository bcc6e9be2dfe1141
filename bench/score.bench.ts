import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { modelInspector } from "../deployer/inspect-model.ts";
import { allottedProcessors, threadsFor } from "../deployer/replica/allotted-processors.ts";
import { literal } from "../store/identifier.ts";
import { median } from "./median.ts";

/**
 * Batch scoring of a Parquet file (read, score, write beside the rows) against a bare loop of onnxruntime over the same
 * rows in memory, with as many threads, which keeps what the model gives. For comparison the same loop that throws it
 * away. Run `npm run build` first. `LEEWAY_FIXTURES` names the folder of the models; bar: at least 70 %.
 */
const FIXTURES = process.env.LEEWAY_FIXTURES;
const ROWS = Number(process.env.ROWS ?? 4_000_000);
const REPEATS = 3;
const BATCH_ROWS = 4_096;
const MODELS = [
  { file: "bike_gbr.onnx", width: 11 },
  { file: "elec2_rf.onnx", width: 6 },
  { file: "elec2_logreg.onnx", width: 6 },
];

if (FIXTURES === undefined || !existsSync(join(FIXTURES, "models/sklearn"))) {
  console.log(
    JSON.stringify({ bench: "score", skipped: "LEEWAY_FIXTURES names no folder with models/sklearn" }),
  );
  process.exit(0);
}
const folder = mkdtempSync(join(tmpdir(), "leeway-bench-score-"));
const threads = threadsFor(allottedProcessors());

async function writeRows(width: number): Promise<string> {
  const path = join(folder, `rows-${width}.parquet`);
  if (existsSync(path)) return path;
  const instance = await DuckDBInstance.create(":memory:", { memory_limit: "1GB" });
  const connection = await instance.connect();
  const columns = Array.from({ length: width }, (_, i) => `random()::double as c${i}`);
  await connection.run(
    `copy (select ${columns.join(", ")} from range(${ROWS})) to ${literal(path)} (format parquet)`,
  );
  connection.closeSync();
  instance.closeSync();
  return path;
}

/** The runtime over a matrix that is there already; what it gives is kept or thrown away. */
async function bareSeconds(file: string, width: number, outputs: "kept" | "thrown away"): Promise<number> {
  const session = await InferenceSession.create(file, { intraOpNumThreads: threads, logSeverityLevel: 3 });
  const batches = Array.from({ length: Math.ceil(ROWS / BATCH_ROWS) }, (_, at) => {
    const rows = Math.min(BATCH_ROWS, ROWS - at * BATCH_ROWS);
    return new Tensor("float32", Float32Array.from({ length: rows * width }, Math.random), [rows, width]);
  });
  const [name = ""] = session.inputNames;
  await session.run({ [name]: batches[0] as Tensor });
  const kept: unknown[] = [];
  const started = performance.now();
  for (const batch of batches) {
    const predictions = await session.run({ [name]: batch });
    if (outputs === "kept") kept.push(predictions);
  }
  const seconds = (performance.now() - started) / 1000;
  await session.release();
  return seconds;
}

async function scoreSeconds(file: string, input: string): Promise<number> {
  const inspection = await modelInspector(folder)(file, {});
  if (inspection.verdict === "refused") throw new Error(inspection.reason);
  const { signature, served_file } = inspection;
  const output = join(folder, "scored.parquet");
  const model = { file: served_file ?? file, sha256: file, signature };
  const job = { input, output, model, threads, existing: "refuse" };
  const program = join(import.meta.dirname, "score-built.mjs");
  const printed = execFileSync(process.execPath, [program], { input: JSON.stringify(job), encoding: "utf8" });
  const { rows, seconds } = JSON.parse(printed) as { readonly rows: number; readonly seconds: number };
  if (rows !== ROWS) throw new Error(`${rows} rows came out`);
  rmSync(output);
  return seconds;
}

try {
  const models = [];
  for (const { file, width } of MODELS) {
    const path = join(FIXTURES, "models/sklearn", file);
    const input = await writeRows(width);
    const [bare, barest, ours]: [number[], number[], number[]] = [[], [], []];
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      bare.push(await bareSeconds(path, width, "kept"));
      barest.push(await bareSeconds(path, width, "thrown away"));
      ours.push(await scoreSeconds(path, input));
    }
    models.push({
      model: file,
      bare_rows_per_second: Math.round(ROWS / median(bare)),
      leeway_rows_per_second: Math.round(ROWS / median(ours)),
      ratio: Math.round((median(bare) / median(ours)) * 1000) / 1000,
      bare_rows_per_second_thrown_away: Math.round(ROWS / median(barest)),
      ratio_thrown_away: Math.round((median(barest) / median(ours)) * 1000) / 1000,
    });
  }
  console.log(
    JSON.stringify(
      { bench: "score", rows: ROWS, threads, processors: availableParallelism(), models },
      null,
      2,
    ),
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
