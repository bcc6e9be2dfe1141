import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import fc from "fast-check";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { BatchInputs } from "../../deployer/batch/batch-inputs.ts";
import { mapColumns } from "../../deployer/batch/map-columns.ts";
import { readParts } from "../../deployer/batch/read-parts.ts";
import { type ScoringJob, scoreFile } from "../../deployer/batch/score-file.ts";
import { modelInspector } from "../../deployer/inspect-model.ts";
import type { ModelSignature, TensorSpec } from "../../schema/signature.ts";
import { built } from "../built-program.ts";
import { FIXTURES, haveFixtures, WITHOUT_FIXTURES } from "../fixtures.ts";
import { onnxFile } from "./onnx-file.ts";

const ROOT = join(import.meta.dirname, "../..");

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "leeway-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function query(sql: string): Promise<Record<string, unknown>[]> {
  const instance = await DuckDBInstance.create(":memory:", { memory_limit: "500MB" });
  const connection = await instance.connect();
  const rows = (await connection.runAndReadAll(sql)).getRowObjectsJS();
  connection.closeSync();
  instance.closeSync();
  return rows as Record<string, unknown>[];
}

const matrix = (width: number): TensorSpec => ({ name: "x", datatype: "FP32", shape: [-1, width] });
const outputs: TensorSpec[] = [];

describe("a model takes", () => {
  it.each<[string, ModelSignature, readonly string[], readonly string[] | undefined, readonly string[]]>([
    [
      "columns by its names",
      { inputs: [matrix(2)], outputs, feature_names: ["a", "b"] },
      ["id", "b", "a"],
      undefined,
      ["a", "b"],
    ],
    ["all columns in their order", { inputs: [matrix(2)], outputs }, ["b", "a"], undefined, ["b", "a"]],
    [
      "the columns that are named",
      { inputs: [matrix(2)], outputs },
      ["id", "b", "a"],
      ["a", "b"],
      ["a", "b"],
    ],
    [
      "a column of the name of each input",
      {
        inputs: [
          { name: "p", datatype: "FP32", shape: [-1, 1] },
          { name: "q", datatype: "BYTES", shape: [-1] },
        ],
        outputs,
      },
      ["q", "p", "r"],
      undefined,
      ["p", "q"],
    ],
  ])("%s", (_, signature, columns, chosen, expected) => {
    expect(mapColumns(signature, columns, chosen).flatMap((input) => input.columns)).toEqual(expected);
  });

  it.each<[string, ModelSignature, readonly string[] | undefined, RegExp]>([
    [
      "no table with too many columns and no names",
      { inputs: [matrix(3)], outputs },
      undefined,
      /takes 3 columns and does not name them, and the file has 2.*--columns/,
    ],
    [
      "no table without its columns",
      { inputs: [matrix(2)], outputs, feature_names: ["a", "z"] },
      undefined,
      /has no column "z", which the model takes: it has a, b/,
    ],
    [
      "no other number of columns",
      { inputs: [matrix(3)], outputs },
      ["a", "b"],
      /takes 3 columns, and 2 are named/,
    ],
    [
      "no table when it takes images",
      { inputs: [{ name: "image", datatype: "FP32", shape: [-1, 1, 28, 28] }], outputs },
      undefined,
      /"image" is of shape \[-1, 1, 28, 28\]: only models/,
    ],
  ])("%s", (_, signature, chosen, message) => {
    expect(() => mapColumns(signature, ["a", "b"], chosen)).toThrow(message);
  });
});

it("reads every wanted row once, in order, whatever the chunks, batches and parts", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 12 }),
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 1, max: 11 }),
      fc.infiniteStream(fc.boolean()),
      async (chunks, batchRows, partRows, choices) => {
        const rows = chunks.reduce((sum, length) => sum + length, 0);
        async function* read() {
          let next = 0;
          for (const length of chunks) {
            const a = Float32Array.from({ length }, () => next++);
            yield { rows: length, values: [a, a.map((value) => -value)] };
          }
        }
        const kept = Array.from(
          { length: Math.ceil(rows / partRows) },
          () => choices.next().value as boolean,
        );
        const inputs = [{ name: "x", datatype: "FP32", columns: ["a", "b"], form: "matrix" }] as const;
        const options = { partRows, wanted: (part: number) => kept[part] === true };
        const seen: number[] = [];
        const batches = new BatchInputs(inputs);
        for await (const part of readParts({ rows, read }, inputs, options)) {
          expect(part.from).toBe(part.part * partRows);
          for (let at = 0; at < part.rows; at += batchRows) {
            const count = Math.min(batchRows, part.rows - at);
            const data = batches.of(part.columns, at, count)[0]?.data as Float32Array;
            expect(data.length).toBe(count * 2);
            for (let row = 0; row < count; row++) {
              const number = part.from + at + row;
              expect([data[row * 2], data[row * 2 + 1]]).toEqual([number, -number]);
              seen.push(number);
            }
          }
        }
        const wanted = Array.from({ length: rows }, (_, row) => row).filter(
          (row) => kept[Math.floor(row / partRows)],
        );
        expect(seen).toEqual(wanted);
      },
    ),
  );
});

describe.skipIf(!haveFixtures)(`files of models (${haveFixtures ? "all" : WITHOUT_FIXTURES})`, () => {
  interface Golden {
    readonly X: readonly (readonly number[])[];
    readonly y?: readonly number[];
    readonly label?: readonly string[];
    readonly proba?: readonly (readonly number[])[];
  }
  const golden = () =>
    JSON.parse(readFileSync(join(FIXTURES ?? "", "models/sklearn/golden.json"), "utf8")) as Record<
      string,
      Golden
    >;

  async function jobFor(
    name: string,
    folder: string,
    output: string,
  ): Promise<ScoringJob & { readonly rows: Golden }> {
    const file = join(FIXTURES ?? "", "models/sklearn", `${name}.onnx`);
    const inspection = await modelInspector(folder)(file, {});
    if (inspection.verdict === "refused") throw new Error(inspection.reason);
    const rows = golden()[name.replace("_zipmap", "")] as Golden;
    const columns = (rows.X[0] ?? []).map((_, at) => `c${at}`);
    const input = join(folder, `${name}.csv`);
    const lines = [["id", ...columns], ...rows.X.map((row, at) => [`r${at}`, ...row])];
    writeFileSync(input, `${lines.map((line) => line.join(",")).join("\n")}\n`);
    const { signature, served_file } = inspection;
    const model = { file: served_file ?? file, sha256: name, signature };
    return { input, output: join(folder, output), model, columns, threads: 2, existing: "refuse", rows };
  }

  it.each([
    ["bike_gbr", "scored.csv"],
    ["elec2_rf", "scored.parquet"],
    ["elec2_rf_zipmap", "scored.ndjson"],
    ["elec2_logreg", "scored.csv.gz"],
  ])("%s gives what scikit-learn gave, beside the rows of the file", async (name, output) => {
    const folder = temporaryFolder();
    const { rows, ...job } = await jobFor(name, folder, output);
    const told: number[] = [];
    const report = await scoreFile({ ...job, partRows: 64, onProgress: (done) => told.push(done) });
    expect(report).toMatchObject({ rows: 200, resumed_rows: 0 });
    expect(told.at(-1)).toBe(200);
    const found = await query(`from '${job.output}'`);
    expect(found.map(({ id }) => id)).toEqual(rows.X.map((_, at) => `r${at}`));
    found.forEach((row, at) => {
      expect(Number(row.c0)).toBeCloseTo(rows.X[at]?.[0] as number, 6);
      if (rows.y) expect(Number(row.prediction)).toBeCloseTo(rows.y[at] as number, 2);
      if (rows.label) expect(row.label).toBe(rows.label[at]);
      const [down] = rows.proba?.[at] ?? [];
      if (down !== undefined)
        expect(Number(row.probabilities_0 ?? row.probabilities_DOWN)).toBeCloseTo(down, 4);
    });
    expect(readdirSync(folder).filter((file) => file.includes("scor"))).toEqual([output]);
  });

  it("goes on where a killed run was, and writes no row twice", { timeout: 60_000 }, async () => {
    const folder = temporaryFolder();
    const { rows: _, ...job } = await jobFor("bike_gbr", folder, "scored.parquet");
    const input = join(folder, "many.parquet");
    const columns = (job.columns ?? []).map((column) => `random() as ${column}`);
    await query(
      `copy (select i as id, ${columns} from range(300000) as t(i)) to '${input}' (format parquet, row_group_size 10240)`,
    );
    const options = { ...job, input, partRows: 8_192 };
    const program = join(folder, "score.mjs");
    writeFileSync(
      program,
      `import { scoreFile } from ${JSON.stringify(built("deployer/batch/score-file.ts"))};
       scoreFile(${JSON.stringify(options)}).then(() => process.exit(9));`,
    );
    const child = spawn(process.execPath, [program], { cwd: ROOT });
    const ended = once(child, "exit");
    const parts = () => (existsSync(`${job.output}.scoring`) ? readdirSync(`${job.output}.scoring`) : []);
    await vi.waitFor(
      () => expect(parts().filter((name) => /^part-\d+\.parquet$/.test(name)).length).toBeGreaterThan(3),
      {
        timeout: 30_000,
        interval: 5,
      },
    );
    child.kill("SIGKILL");
    expect(await ended).toEqual([null, "SIGKILL"]);
    expect(existsSync(job.output)).toBe(false);

    const other = { ...options, model: { ...options.model, sha256: "another" } };
    await expect(scoreFile(other)).rejects.toThrow(/holds an unfinished run over another input, model/);
    const report = await scoreFile(options);
    expect(report.resumed_rows).toBeGreaterThan(3 * 8_192);
    expect(
      await query(
        `select count(*)::int as rows, count(distinct id)::int as ids, count(prediction)::int as scored,
         bool_and(id = file_row_number) as ordered from read_parquet('${job.output}', file_row_number = true)`,
      ),
    ).toEqual([{ rows: 300_000, ids: 300_000, scored: 300_000, ordered: true }]);
    const whole = { ...options, output: join(folder, "whole.parquet") };
    await scoreFile(whole);
    expect(
      await query(
        `select count(*)::int as different from '${job.output}' a positional join '${whole.output}' b
       where a.prediction is distinct from b.prediction`,
      ),
    ).toEqual([{ different: 0 }]);
    await expect(scoreFile(options)).rejects.toThrow(/is there already: remove it, or say --overwrite/);
  });

  it("ends with the reason, and without an output, when the file cannot be read or written to its end", async () => {
    const folder = temporaryFolder();
    const { rows: _, ...job } = await jobFor("bike_gbr", folder, "scored.parquet");
    const input = join(folder, "many.parquet");
    const table = (last: string) => {
      const columns = (job.columns ?? []).map(
        (column, at) => `${at === 3 ? `if(i = 399999, '${last}', '1')` : "1"} as ${column}`,
      );
      return query(
        `copy (select ${columns} from range(400000) as t(i)) to '${input}' (format parquet, row_group_size 10240)`,
      );
    };
    const left = () => readdirSync(folder).filter((name) => name.startsWith("scored"));
    await table("many");
    await expect(scoreFile({ ...job, input, partRows: 8_192 })).rejects.toThrow(
      /many\.parquet cannot be read: .*'many'/,
    );
    expect(left()).toEqual(["scored.parquet.scoring"]);
    rmSync(`${job.output}.scoring`, { recursive: true });

    await table("2");
    symlinkSync("/dev/full", `${job.output}.partial`);
    const told: number[] = [];
    const options = { ...job, input, partRows: 8_192, onProgress: (rows: number) => told.push(rows) };
    await expect(scoreFile(options)).rejects.toThrow(/copyfile .*scored\.parquet\.partial/);
    expect(told.at(-1)).toBeLessThan(400_000); // and does not score to the end first
    expect(left()).toEqual(["scored.parquet.scoring"]);
    expect(await scoreFile(options)).toMatchObject({ rows: 400_000 });
    expect(left()).toEqual(["scored.parquet"]);
  });

  it("names what cannot be scored", async () => {
    const folder = temporaryFolder();
    const { rows: _, ...job } = await jobFor("bike_gbr", folder, "scored.csv");
    const input = join(folder, "bad.csv");
    const header = (job.columns ?? []).join(",");
    writeFileSync(
      input,
      `${header}\n${Array.from({ length: 11 }, (_v, at) => (at === 3 ? "many" : at)).join(",")}\n`,
    );
    await expect(scoreFile({ ...job, input })).rejects.toThrow(/bad\.csv cannot be read: .*'many'/);
    writeFileSync(input, `${header}\n`);
    await expect(scoreFile({ ...job, input })).rejects.toThrow(/bad\.csv has no rows/);
    writeFileSync(input, `${header}\n1,2\n3\n`);
    await expect(scoreFile({ ...job, input })).rejects.toThrow(/bad\.csv/); // rows of other lengths than the header
    await expect(scoreFile({ ...job, input: join(folder, "none.csv") })).rejects.toThrow(
      /none\.csv: no such file/,
    );
    await expect(scoreFile({ ...job, output: join(folder, "scored.xlsx") })).rejects.toThrow(
      /ends in \.csv, \.tsv/,
    );
  });
});

describe("columns of every kind", () => {
  /** Gives back each input, one of them under the name of a column of the file. */
  function identity(folder: string): ScoringJob["model"] {
    const kinds = [
      { name: "number", type: 1, datatype: "FP32", to: "id" },
      { name: "double", type: 11, datatype: "FP64", to: "double_out" },
      { name: "whole", type: 7, datatype: "INT64", to: "whole_out" },
      { name: "short", type: 6, datatype: "INT32", to: "short_out" },
      { name: "half", type: 10, datatype: "FP16", to: "half_out" },
      { name: "flag", type: 9, datatype: "BOOL", to: "flag_out" },
      { name: "text", type: 8, datatype: "BYTES", to: "text_out" },
    ] as const;
    const file = join(folder, "identity.onnx");
    const value = (name: string, type: number) => ({ name, type, shape: ["n", 1] });
    writeFileSync(
      file,
      onnxFile({
        nodes: kinds.map(({ name, to }) => ({ op: "Identity", inputs: [name], outputs: [to] })),
        inputs: kinds.map(({ name, type }) => value(name, type)),
        outputs: kinds.map(({ to, type }) => value(to, type)),
      }),
    );
    const spec = (name: string, datatype: TensorSpec["datatype"]): TensorSpec => ({
      name,
      datatype,
      shape: ["n", 1],
    });
    const signature = {
      inputs: kinds.map(({ name, datatype }) => spec(name, datatype)),
      outputs: kinds.map(({ to, datatype }) => spec(to, datatype)),
    };
    return { file, sha256: "identity", signature };
  }
  const good = {
    id: "a",
    number: 1.5,
    double: 0.1,
    whole: "9007199254740993",
    short: -7,
    half: 0.25,
    flag: true,
    text: "Zoë",
  };

  async function score(rows: readonly object[]) {
    const folder = temporaryFolder();
    const input = join(folder, "rows.ndjson");
    writeFileSync(input, rows.map((row) => `${JSON.stringify(row).replace(/"(\d{10,})"/, "$1")}\n`).join(""));
    const output = join(folder, "scored.parquet");
    await scoreFile({ input, output, model: identity(folder), threads: 1, existing: "refuse" });
    return query(`select * from '${output}'`);
  }

  it("go through a model as they are; a missing number is NaN", async () => {
    const [first, second] = await score([good, { ...good, number: null, double: null, text: "" }]);
    expect(first).toMatchObject({
      id: "a",
      predicted_id: 1.5,
      double_out: 0.1,
      whole_out: 9007199254740993n,
      short_out: -7n,
      half_out: 0.25,
      flag_out: true,
      text_out: "Zoë",
    });
    expect(second).toMatchObject({ predicted_id: Number.NaN, double_out: Number.NaN, text_out: "" });
  });

  it.each(["whole", "short", "flag", "text"])(
    "a missing %s is refused, naming column and rows",
    async (name) => {
      await expect(score([good, { ...good, [name]: null }])).rejects.toThrow(`column "${name}" of `);
      await expect(score([good, { ...good, [name]: null }])).rejects.toThrow(
        /is missing in 1 of 2 rows, and the model takes no missing values there/,
      );
    },
  );
});
