import type { Command } from "commander";
import { columnTypesText } from "../../schema/column-types.ts";
import type { CompareResult } from "../../schema/compare-result.ts";
import type { ColumnType } from "../../schema/drift-result.ts";
import { ServiceError } from "../../schema/errors.ts";
import { falseAlarmsText } from "../../schema/monitor.ts";
import { type PresetName, presetName } from "../../schema/preset-name.ts";
import { compareTable } from "../compare-table.ts";
import { painterFor } from "../paint.ts";
import { startProgress } from "../progress.ts";
import { newCommand, newGroup, print } from "./command.ts";

interface Options {
  readonly json?: boolean;
  readonly preset: string;
  readonly columns?: string;
  readonly types?: string;
  readonly timeColumn?: string;
  readonly window?: string;
  readonly falseAlarms?: string;
  readonly minimumEffect?: string;
  readonly minimumRows?: string;
}

export function driftCommand(): Command {
  const compare = newCommand("compare", {
    does: "compare two files (CSV, Parquet, NDJSON) without a server; exits 3 when the current one has drifted or fails a quality check",
    example:
      "leeway drift compare train.parquet today.parquet\nleeway drift compare train.parquet today.parquet --preset evidently\nleeway drift compare 2011.csv 2012.csv --time-column dteday --window 1w --false-alarms 1/30d",
  })
    .argument("<baseline>", "file with the training data")
    .argument("<current>", "file to hold against it")
    .option(
      "--preset <name>",
      `whose definitions, thresholds and rules to use: ${presetName.options.join(", ")}`,
      "leeway",
    )
    .option("--columns <names>", "columns to compare, separated by commas; all when absent")
    .option(
      "--types <list>",
      `types to take instead of those found, such as weekday=categorical,id=categorical`,
    )
    .option("--time-column <name>", "column that says when; found by itself when absent, `none` for none")
    .option("--window <length>", "a verdict per window of the current file: 1d, 1w, 1000rows")
    .option("--false-alarms <budget>", "bearable false alarms: a probability per window, or 1/30d", "0.01")
    .option("--minimum-effect <size>", "effect below which nothing is called drift, 0 to 1 (0.1)")
    .option("--minimum-rows <count>", "rows below which nothing is said (20)")
    .action(compareCommand);
  return newGroup("drift", "has the data changed?", [compare]);
}

async function compareCommand(
  baseline: string,
  current: string,
  options: Options,
  command: Command,
): Promise<void> {
  const preset = presetOf(options, command);
  const { compareFiles } = await import("../compare-files.ts");
  const progress = process.stderr.isTTY ? startProgress("comparing", 1) : undefined;
  let result: CompareResult;
  try {
    result = await compareFiles(baseline, current, {
      preset,
      columns: options.columns?.split(","),
      types: options.types === undefined ? undefined : typesOf(options.types),
      timeColumn: options.timeColumn,
      window: options.window,
      falseAlarms: budgetText(options.falseAlarms),
      minimumEffect: numberOf("--minimum-effect", options.minimumEffect, { from: 0, to: 1 }),
      minimumRows: numberOf("--minimum-rows", options.minimumRows, { from: 2, to: 1e9 }),
      onProgress: (done, of) => progress?.update(done / of),
    });
  } finally {
    progress?.end();
  }
  const paint = painterFor(process.stdout, process.env);
  print(result, options, (value) => compareTable(value, paint));
  process.exitCode = exitCodeOf(result);
}

/** @throws ServiceError `invalid-input` for an unknown preset, and for options that another tool's rules do not know. */
function presetOf(options: Options, command: Command): PresetName {
  const { data: preset } = presetName.safeParse(options.preset);
  if (preset === undefined) {
    throw new ServiceError(
      "invalid-input",
      `--preset ${options.preset} is not known: there are ${presetName.options.join(", ")}`,
    );
  }
  const [ours] = ["falseAlarms", "minimumEffect", "minimumRows"].filter(
    (name) => command.getOptionValueSource(name) === "cli",
  );
  if (preset !== "leeway" && ours !== undefined) {
    const flag = command.options.find((option) => option.attributeName() === ours)?.long ?? ours;
    throw new ServiceError(
      "invalid-input",
      `${flag} does not go with --preset ${preset}: that tool's own thresholds decide there`,
    );
  }
  return preset;
}

/** 3 when the answer is no: something drifted or fails a check. 1 when a whole comparison failed. */
function exitCodeOf(result: CompareResult): number {
  const verdicts = ("windows" in result ? result.windows : [result]).map(({ dataset }) => dataset.verdict);
  if (verdicts.includes("drifted") || verdicts.includes("quality")) return 3;
  return verdicts.includes("error") ? 1 : 0;
}

function typesOf(list: string): Readonly<Record<string, ColumnType>> {
  const types = columnTypesText.safeParse(list);
  if (types.success) return types.data;
  throw new ServiceError("invalid-input", `--types: ${types.error.issues[0]?.message}`);
}

function budgetText(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const budget = falseAlarmsText.safeParse(text);
  if (!budget.success) {
    throw new ServiceError("invalid-input", `--false-alarms ${text}: ${budget.error.issues[0]?.message}`);
  }
  return budget.data;
}

function numberOf(
  option: string,
  text: string | undefined,
  { from, to }: { readonly from: number; readonly to: number },
): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === "" || !(value >= from && value <= to)) {
    throw new ServiceError("invalid-input", `${option} ${text}: expected a number from ${from} to ${to}`);
  }
  return value;
}
