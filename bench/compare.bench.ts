import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { compareFiles } from "../app/compare-files.ts";
import { median } from "./median.ts";

// Comparing two Parquet files of 1,000,000 rows and 20 columns, every statistic exact on the rows, against what DuckDB needs to count
// both files into ten bins per column in one scan each. Bar: at most 8 times.
const ROWS = Number(process.env.ROWS ?? 1_000_000);
const REPEATS = 5;
const NUMERIC = 16;

const folder = mkdtempSync(join(tmpdir(), "leeway-bench-compare-"));
try {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  const paths = ["baseline", "current"].map((name) => join(folder, `${name}.parquet`));
  for (const [i, path] of paths.entries()) {
    await connection.run("set threads = 1"); // a seeded random() is repeatable on one thread only
    await connection.run(`select setseed(0.${i + 1})`);
    await connection.run(`copy (select ${columns()} from range(${ROWS})) to '${path}' (format parquet)`);
  }
  await connection.run("reset threads");
  const edges = await quantiles(paths[0] ?? "");
  const times = { histograms_ms: [] as number[], compare_ms: [] as number[] };
  for (let i = 0; i < REPEATS; i += 1) {
    times.histograms_ms.push(
      await timed(async () => {
        for (const path of paths) await connection.run(`select ${histograms(edges)} from '${path}'`);
      }),
    );
    times.compare_ms.push(await timed(() => compareFiles(paths[0] ?? "", paths[1] ?? "")));
  }
  const histograms_ms = median(times.histograms_ms);
  const compare_ms = median(times.compare_ms);
  console.log(
    JSON.stringify({
      bench: "compare",
      rows: ROWS,
      columns: 20,
      repeats: REPEATS,
      histograms_ms: Math.round(histograms_ms),
      compare_ms: Math.round(compare_ms),
      ratio: Number(median(times.compare_ms.map((ms, i) => ms / (times.histograms_ms[i] ?? 1))).toFixed(2)),
      bar: "ratio <= 8",
      max_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
    }),
  );

  async function quantiles(path: string): Promise<string[]> {
    const wanted = Array.from(
      { length: NUMERIC },
      (_, c) => `quantile_cont(n${c}::double, [0,0.1,0.2,0.3,0.4,0.5,0.6,0.7,0.8,0.9,1]) as q${c}`,
    );
    const [row] = (
      await connection.runAndReadAll(`select ${wanted.join(",")} from '${path}'`)
    ).getRowObjectsJS() as Record<string, number[]>[];
    return Array.from({ length: NUMERIC }, (_, c) => (row?.[`q${c}`] ?? []).join(","));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** 14 doubles of several shapes, 2 whole numbers, 3 categories, 1 boolean. */
function columns(): string {
  const normal = "sqrt(-2 * ln(1 - random())) * cos(6.283185307179586 * random())";
  const doubles = Array.from(
    { length: 14 },
    (_, c) => [normal, `exp(${normal})`, "random() * 100", `round(${normal}, 2)`][c % 4],
  );
  const numeric = [...doubles, "floor(random() * 24)::integer", "floor(random() * 100000)::integer"].map(
    (sql, c) => `${sql} as n${c}`,
  );
  const categories = [5, 50, 300].map(
    (size, c) => `'c' || floor(random() * random() * ${size})::integer as c${c}`,
  );
  return [...numeric, ...categories, "random() < 0.3 as b"].join(", ");
}

function histograms(edges: readonly string[]): string {
  return [
    ...edges.map((list, c) => `histogram(n${c}, [${list}])`),
    ...["c0", "c1", "c2", "b"].map((name) => `histogram(${name})`),
  ].join(", ");
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return performance.now() - start;
}
