import { ServiceError } from "../schema/errors.ts";
import type { QueryLimits } from "./query-limits.ts";

export function timedOut(seconds: number, { mostSeconds }: QueryLimits): ServiceError {
  return new ServiceError(
    "timeout",
    `the query took longer than ${seconds} s: ask for less (a condition on time helps most), or give it up to ${mostSeconds} s with time_limit_seconds (--timeout)`,
  );
}

export function tooManyRows(most: number, { mostRows }: QueryLimits): ServiceError {
  return new ServiceError(
    "too-large",
    `the answer has more than ${most} rows: aggregate, add a limit, or name a higher row_limit (--limit, at most ${mostRows})`,
  );
}

export function answerTooLong({ answerBytes }: QueryLimits): ServiceError {
  return new ServiceError(
    "too-large",
    `the answer is longer than ${inMegabytes(answerBytes)}: select fewer columns or rows, or ask for Parquet, which is shorter`,
  );
}

export function tooMuchMemory(bytes: number): ServiceError {
  return new ServiceError(
    "too-large",
    `the query took more than ${inMegabytes(bytes)} of memory: narrow it (a condition on time, fewer columns, fewer groups), or let it run on a server with a higher memory_limit`,
  );
}

/** What DuckDB says of a query, for whoever wrote it; an error that is not the query's stays as it is. */
export function told(error: unknown): unknown {
  if (error instanceof RangeError && /call stack/.test(error.message)) {
    return new ServiceError(
      "invalid-input",
      "the query makes lists or objects nested too deep to be told: take a part of them",
      { cause: error },
    );
  }
  if (!(error instanceof Error) || error instanceof ServiceError || error instanceof RangeError) return error;
  const kind = /^([\w ]+) Error: /.exec(error.message)?.[1];
  if (kind === "Out of Memory") {
    return new ServiceError(
      "too-large",
      "the query needs more memory than the database may take (memory_limit): ask for less, or give the server more",
      { cause: error },
    );
  }
  if (kind === undefined || ["INTERNAL", "FATAL", "IO", "TransactionContext"].includes(kind)) return error;
  const [what = ""] = error.message.split("\n\n");
  return new ServiceError("invalid-input", `the query fails: ${what.replaceAll(/\s+/g, " ").slice(0, 500)}`, {
    cause: error,
  });
}

function inMegabytes(bytes: number): string {
  return `${Math.round(bytes / 1_000_000)} MB`;
}
