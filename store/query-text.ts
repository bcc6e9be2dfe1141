import type { DuckDBValue } from "@duckdb/node-api";
import { csvOf, jsonOf } from "./query-values.ts";

export type TextFormat = "json" | "ndjson" | "csv";

export interface AnswerColumn {
  readonly name: string;
  readonly type: string;
}

/** How the rows of an answer become text. */
export interface TextWriter {
  readonly head: string;
  row(values: readonly DuckDBValue[], index: number): string;
  tail(rows: number, cut: "whole" | "cut"): string;
}

/**
 * A writer of one format. `keys` are the columns' names, told apart where two are the same: an object cannot have a key
 * twice.
 */
export function textWriter(
  format: TextFormat,
  columns: readonly AnswerColumn[],
  keys: readonly string[],
): TextWriter {
  if (format === "json") {
    return {
      head: `{"columns":${JSON.stringify(columns)},"rows":[`,
      row: (values, index) => `${index === 0 ? "" : ","}\n[${values.map(jsonOf).join(",")}]`,
      tail: (_, cut) => `],"truncated":${cut === "cut"}}\n`,
    };
  }
  if (format === "ndjson") {
    const names = keys.map((key) => JSON.stringify(key));
    return {
      head: "",
      row: (values) => `{${values.map((value, i) => `${names[i]}:${jsonOf(value)}`).join(",")}}\n`,
      tail: () => "",
    };
  }
  return {
    head: `${columns.map(({ name }) => csvOf(name)).join(",")}\r\n`,
    // A line with one empty field would be no line at all to many readers.
    row: (values) => `${values.length === 1 && values[0] === null ? '""' : values.map(csvOf).join(",")}\r\n`,
    tail: () => "",
  };
}
