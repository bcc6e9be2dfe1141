import type { RowForm } from "../profiler/payloads.ts";
import { ServiceError } from "../schema/errors.ts";
import type { ApiClient } from "./api-client.ts";

/** So many rows are read at most; what is sent is a sample of the records when there were more. */
const MOST_ROWS = 10_000;

/** Requests that were recorded, as bodies to send again. */
export interface RecordedPayloads {
  readonly bodies: readonly Uint8Array[];
  /** Where they come from, in words. */
  readonly source: string;
}

interface QueryAnswer {
  readonly columns: readonly { readonly name: string }[];
  readonly rows: readonly (readonly unknown[])[];
  readonly truncated: boolean;
}

/**
 * Reads what callers sent a model in a stretch of time until now from the server that recorded it: a body per call, all of its instances in it,
 * so that the sizes of the bodies are those of the calls. When there were too many, a sample that is the same for the same
 * records.
 *
 * @param text - NAME, or NAME:VERSION for the calls that this version answered.
 * @throws ServiceError `not-found` when nothing was recorded of it then.
 */
export async function recordedPayloads(
  text: string,
  {
    client,
    lastMs,
    rows,
    now,
  }: { readonly client: ApiClient; readonly lastMs: number; readonly rows: RowForm; readonly now: Date },
): Promise<RecordedPayloads> {
  const [model = "", version] = text.split(":");
  const ask = (sql: string, limit = MOST_ROWS) =>
    client.send<QueryAnswer>("POST", "/v1/query", { sql, row_limit: limit });
  const known = await ask(
    `select view, "column", name from results.columns where model = ${literal(model)} and role = 'input'`,
  );
  const view = known.rows[0]?.[0];
  if (typeof view !== "string") {
    throw new ServiceError(
      "not-found",
      `--recorded ${text}: ${client.url} has recorded no inputs of ${model}`,
    );
  }
  const inputs = known.rows.map(([, column, name]) => ({ column: String(column), name: String(name) }));
  const since = new Date(now.getTime() - lastMs).toISOString();
  const wanted = [
    `time >= timestamptz ${literal(since)}`,
    ...(version === undefined ? [] : [`version = ${literal(version)}`]),
  ].join(" and ");
  const found = await ask(
    `select record_id, ${inputs.map(({ column }) => quoted(column)).join(", ")} from ${quoted(view)} where ${wanted} order by hash(record_id), record_id, "row"`,
  );
  const calls = new Map<unknown, Record<string, unknown>[]>();
  for (const [id, ...values] of found.rows) {
    const instance = Object.fromEntries(inputs.map(({ name }, i) => [name, values[i]]));
    calls.set(id, [...(calls.get(id) ?? []), instance]);
  }
  if (found.truncated && calls.size > 1) calls.delete(found.rows.at(-1)?.[0]); // it may be cut
  if (calls.size === 0) {
    throw new ServiceError(
      "not-found",
      `--recorded ${text}: no calls were recorded since ${since}; --recorded-last takes a longer time`,
    );
  }
  return {
    bodies: [...calls.values()].map((instances) => Buffer.from(JSON.stringify(bodyOf(instances, rows)))),
    source: `${calls.size} recorded calls of ${text} since ${since}`,
  };
}

/** The instances of one call in the form that was asked for. */
function bodyOf(instances: readonly Record<string, unknown>[], form: RowForm): unknown {
  if (form === "dataframe_records" || form === "instances") return { [form]: instances };
  const rows = form === "list" ? instances.map((instance) => Object.values(instance)) : instances;
  return rows.length === 1 ? rows[0] : rows;
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}
