import { ServiceError } from "../schema/errors.ts";

/**
 * How large a part of a query may become, found before it runs. DuckDB cannot be interrupted within a call: forty `||`
 * in nested queries would make a text of a terabyte out of one letter, and forty `with` that each name the one before
 * twice a plan of a trillion parts, before any limit of time or memory is looked at.
 */
export interface QuerySize {
  /** How many times longer a value may be than what is stored (or than `UNIT` characters written out). */
  readonly times: number;
  /** Tables that are read, those behind a `with` as often as it is used. */
  readonly tables: number;
}

export const NOTHING: QuerySize = { times: 0, tables: 0 };

/** Written text of this length counts as much as one stored value. */
const UNIT = 256;
const MOST_TIMES = 64;
const MOST_TABLES = 64;

/** A table that is read: a view, or a query of a `with`. */
export function oneMore(query: QuerySize = { times: 1, tables: 0 }): QuerySize {
  return { times: query.times, tables: query.tables + 1 };
}

export function ofText(text: string | undefined): QuerySize {
  return { times: (text?.length ?? 0) / UNIT, tables: 0 };
}

/** Parts that stand beside each other. */
export function largest(sizes: readonly QuerySize[]): QuerySize {
  let times = 0;
  let tables = 0;
  for (const size of sizes) {
    times = Math.max(times, size.times);
    tables += size.tables;
  }
  return { times, tables };
}

/** The same of columns that are named: their tables were counted where they come from. */
export function lengthOf(sizes: readonly QuerySize[]): QuerySize {
  return { ...largest(sizes), tables: 0 };
}

/** Parts that one value is made of. */
export function together(sizes: readonly QuerySize[]): QuerySize {
  return { ...largest(sizes), times: sizes.reduce((sum, { times }) => sum + times, 0) };
}

export function repeated({ times, tables }: QuerySize, by: number): QuerySize {
  return { times: times * by, tables };
}

/** @throws ServiceError `invalid-input` when it is too large; `place` is the function that made it so. */
export function checkSize(size: QuerySize, place?: string): QuerySize {
  if (size.tables > MOST_TABLES) {
    throw new ServiceError(
      "invalid-input",
      `the query reads more than ${MOST_TABLES} tables (what stands in a \`with\` counts as often as it is used): join fewer, or ask more than once`,
    );
  }
  if (size.times > MOST_TIMES) {
    throw new ServiceError(
      "invalid-input",
      `the query may make a value more than ${MOST_TIMES} times as long as what is stored${place === undefined ? "" : ` (at "${place}")`}: join, cast and replace less, and put the parts together where you use them`,
    );
  }
  return size;
}
