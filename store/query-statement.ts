import {
  DuckDBArrayType,
  type DuckDBConnection,
  DuckDBListType,
  DuckDBMapType,
  type DuckDBPreparedStatement,
  DuckDBStructType,
  type DuckDBType,
  DuckDBTypeId,
  DuckDBUnionType,
  StatementType,
} from "@duckdb/node-api";
import { ServiceError } from "../schema/errors.ts";
import { checkQuery, type QueryTables } from "./query-check.ts";
import { checkPlan } from "./query-plan.ts";
import type { AnswerColumn } from "./query-text.ts";

/** What a query may read, and the tables that are behind it. */
export interface QueryCatalog extends QueryTables {
  readonly catalog: string;
  readonly modelTables: readonly string[];
  /** The database's memory_limit. */
  readonly memoryBytes: number;
}

export interface CheckedStatement {
  readonly statement: DuckDBPreparedStatement;
  readonly columns: readonly AnswerColumn[];
}

/**
 * Prepares the text once it was found to be one SELECT that reads views only.
 * @throws ServiceError `invalid-input`.
 */
export async function prepareQuery(
  connection: DuckDBConnection,
  sql: string,
  catalog: QueryCatalog,
): Promise<CheckedStatement> {
  checkQuery(await parse(connection, sql), catalog);
  const extracted = await connection.extractStatements(sql);
  if (extracted.count !== 1) throw oneStatement(extracted.count);
  const statement = await extracted.prepare(0);
  if (statement.statementType !== StatementType.SELECT || statement.parameterCount !== 0) {
    throw new RangeError("a query was found good, but is no SELECT without parameters");
  }
  const columns = Array.from({ length: statement.columnCount }, (_, i) => {
    const name = statement.columnName(i);
    const type = statement.columnType(i);
    refuseLostKeys(name, type);
    return { name, type: type.alias ?? type.toString() };
  });
  const plan = await connection.runAndReadAll(`explain (format json) ${sql}`);
  for (const [, json] of plan.getRowsJS()) checkPlan(String(json), catalog);
  return { statement, columns };
}

/**
 * Refuses objects with parts that have no name, or one name twice, or `__proto__`: some would be lost on the way.
 * @throws ServiceError `invalid-input`.
 */
function refuseLostKeys(name: string, type: DuckDBType): void {
  if (partTypes(type).some((part) => refusedKeys(part))) {
    throw new ServiceError(
      "invalid-input",
      `column "${name}" holds objects whose parts have no name of their own (or the name "__proto__"): name them, such as {'low': 1, 'high': 2}, or select them one by one`,
    );
  }
}

function refusedKeys(type: DuckDBType): boolean {
  if (!(type instanceof DuckDBStructType)) return false;
  const names = type.entryNames;
  return names.includes("__proto__") || names.includes("") || new Set(names).size < names.length;
}

/** The type and all types within it. */
function partTypes(type: DuckDBType): readonly DuckDBType[] {
  const within =
    type instanceof DuckDBListType || type instanceof DuckDBArrayType
      ? [type.valueType]
      : type instanceof DuckDBMapType
        ? [type.keyType, type.valueType]
        : type instanceof DuckDBStructType
          ? type.entryTypes
          : type instanceof DuckDBUnionType
            ? type.memberTypes
            : [];
  return [type, ...within.flatMap(partTypes)];
}

/** The statement as DuckDB's own parser reads it. */
async function parse(connection: DuckDBConnection, sql: string): Promise<unknown> {
  const parsed = readTree(await serialize(connection, sql));
  if (parsed.error || !parsed.statements) {
    const only = parsed.error_type === "not implemented";
    throw new ServiceError(
      "invalid-input",
      only
        ? "only a SELECT is taken in a query: nothing can be changed, set, loaded, attached or written by it"
        : `the query cannot be read: ${parseProblem(parsed.error_message ?? "it is not SQL")}`,
    );
  }
  if (parsed.statements.length !== 1) throw oneStatement(parsed.statements.length);
  return parsed.statements[0];
}

interface Tree {
  readonly error: boolean;
  readonly error_type?: string;
  readonly error_message?: string;
  readonly statements?: readonly unknown[];
}

function readTree(text: string): Tree {
  try {
    return JSON.parse(text) as Tree; // DuckDB's own form
  } catch {
    throw new ServiceError("invalid-input", "the query holds a number larger than 1.8e308: none is stored");
  }
}

/** DuckDB's words, but for those that advise what nobody may do here. */
function parseProblem(message: string): string {
  if (/expression depth limit/.test(message)) {
    return "it is nested more than 1,000 deep: take it apart, such as with `with`, or use in (…) for a long or";
  }
  return message;
}

async function serialize(connection: DuckDBConnection, sql: string): Promise<string> {
  const result = await connection.runAndReadAll("select json_serialize_sql($sql::varchar)", { sql });
  return String(result.getRowsJS()[0]?.[0]);
}

function oneStatement(count: number): ServiceError {
  const message =
    count === 0 ? "there is no statement in it" : `one statement is taken at a time, not ${count}`;
  return new ServiceError("invalid-input", message);
}

/**
 * The statement as it can stand in parentheses: without a semicolon at its end.
 * @throws ServiceError `invalid-input` when it has more than one.
 */
export async function withoutSemicolon(connection: DuckDBConnection, sql: string): Promise<string> {
  const last = sql.lastIndexOf(";");
  if (last === -1) return sql;
  const bare = sql.slice(0, last) + sql.slice(last + 1);
  // The same statement without it: the semicolon was no part of a text or name.
  if ((await serialize(connection, bare)) !== (await serialize(connection, sql))) return sql;
  const inParentheses = await connection.extractStatements(`(\n${bare}\n)`).catch(() => undefined);
  if (inParentheses?.count === 1) return bare;
  throw new ServiceError(
    "invalid-input",
    "leave the semicolons at the end out: Parquet is not written with them",
  );
}

/** Types that Parquet as DuckDB writes it does not have, or has with less in it. */
const NOT_IN_PARQUET = new Set([
  DuckDBTypeId.HUGEINT,
  DuckDBTypeId.UHUGEINT,
  DuckDBTypeId.BIGNUM,
  DuckDBTypeId.INTERVAL,
  DuckDBTypeId.TIME_TZ,
  DuckDBTypeId.BIT,
  DuckDBTypeId.UNION,
  DuckDBTypeId.VARIANT,
]);

/** @throws ServiceError `invalid-input` when a column would be changed by being written as Parquet. */
export function refuseLossyParquet({ statement, columns }: CheckedStatement): void {
  columns.forEach(({ name, type }, i) => {
    if (!partTypes(statement.columnType(i)).some(({ typeId }) => NOT_IN_PARQUET.has(typeId))) return;
    throw new ServiceError(
      "invalid-input",
      `column "${name}" is ${type}, which Parquet cannot hold unchanged: cast it, such as ${name}::bigint or ${name}::varchar`,
    );
  });
}
