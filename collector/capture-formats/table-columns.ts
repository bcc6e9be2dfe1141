import { ServiceError } from "../../schema/errors.ts";
import type { CsvColumns } from "../../store/csv-to-parquet.ts";
import type { JsonColumn, TableColumn } from "../../store/table-file.ts";

/** What the columns of an uploaded table are, where their names do not say it. */
export interface TableRoles {
  readonly id?: string | undefined;
  readonly time?: string | undefined;
  readonly label?: string | undefined;
  readonly inputs?: readonly string[] | undefined;
  readonly outputs?: readonly string[] | undefined;
  readonly ignore?: readonly string[] | undefined;
}

/** How the rows of a table become records, and labels where it has them. */
export interface TablePlan {
  readonly id: TableColumn | undefined;
  /** All but id, inputs and outputs. */
  readonly head: readonly JsonColumn[];
  readonly inputs: readonly JsonColumn[];
  readonly outputs: readonly JsonColumn[];
  readonly label: TableColumn | undefined;
}

/** Columns of an export that say nothing of the call itself. */
const NOT_SENT = new Set(["received_at", "overflow", "label"]);

/**
 * How to read a table: `id` (or `record_id`), `row`, `time`, `version`, `deployment`, `status`, `latency_ms`, `weight` and `label` are
 * what they say; `in_x` is input x and `out_y` output y, as in an export. In a table without such names every other column
 * is an input, but those that `outputs` names.
 *
 * @throws ServiceError `invalid-input` naming the column that is missing or that has no role.
 */
export function recordPlan(columns: readonly TableColumn[], roles: TableRoles): TablePlan {
  const id = idOf(columns, roles);
  const head = headOf(columns, roles);
  const label = columnOf(columns, roles.label, ["label"]);
  if (roles.label !== undefined && !id)
    throw new ServiceError("invalid-input", "a label needs an id: name its column with id=");
  const outputs = roles.outputs?.map((name) => named(columns, name, "outputs"));
  const inputs = roles.inputs?.map((name) => named(columns, name, "inputs"));
  const taken = new Set([
    ...[id, roles.label === undefined ? undefined : label, ...(outputs ?? []), ...(inputs ?? [])].map(
      (column) => column?.name,
    ),
    ...head.map(({ column }) => column.name),
    ...(roles.ignore ?? []),
  ]);
  const free = columns.filter(({ name }) => !taken.has(name) && !NOT_SENT.has(name));
  const prefixed = free.some(({ name }) => name.startsWith("in_"));
  const rest = inputs ? [] : free.filter(({ name }) => !prefixed || !/^(in|out)_/.test(name));
  if (prefixed && rest.length > 0)
    throw new ServiceError(
      "invalid-input",
      `column "${rest[0]?.name}" is neither input (in_…) nor output (out_…): name it in inputs, outputs or ignore`,
    );
  return {
    id,
    head,
    inputs: prefixed && !inputs ? without("in_", free) : bare(inputs ?? rest),
    outputs: [...bare(outputs ?? []), ...(prefixed ? without("out_", free) : [])],
    label: id && label && !inputs?.includes(label) && !outputs?.includes(label) ? label : undefined,
  };
}

function bare(columns: readonly TableColumn[]): JsonColumn[] {
  return columns.map((column) => ({ member: column.name, column, as: "value" }));
}

function without(prefix: string, columns: readonly TableColumn[]): JsonColumn[] {
  return columns
    .filter(({ name }) => name.startsWith(prefix))
    .map((column) => ({ member: column.name.slice(prefix.length), column, as: "value" }));
}

/**
 * Columns that are names, which are text whatever they look like, and the one that is the time.
 * @throws ServiceError `invalid-input` when the roles name a column that is not there.
 */
export function namesIn(names: readonly string[], roles: TableRoles): CsvColumns {
  const columns = names.map((name) => ({ name, type: "" }));
  const head = headOf(columns, roles);
  const called = head.filter(({ member }) => member === "version" || member === "deployment");
  return {
    texts: [idOf(columns, roles), ...called.map(({ column }) => column)].flatMap((column) =>
      column ? [column.name] : [],
    ),
    time: head.find(({ member }) => member === "time")?.column.name,
  };
}

/** How to read a table of ground truth: `id` (or `record_id`), `row`, `label`, `time`; other columns are passed over. */
export function labelPlan(
  columns: readonly TableColumn[],
  roles: TableRoles,
): { readonly id: TableColumn; readonly members: readonly JsonColumn[] } {
  const head = headOf(columns, roles).filter(({ member }) => member === "row" || member === "time");
  const label = columnOf(columns, roles.label, ["label"]);
  const id = idOf(columns, roles);
  if (!label) throw new ServiceError("invalid-input", "no column is called label: name it with label=");
  if (!id) throw new ServiceError("invalid-input", "no column is called id: name it with id=");
  return { id, members: [...head, { member: "label", column: label, as: "value" }] };
}

function idOf(columns: readonly TableColumn[], roles: TableRoles): TableColumn | undefined {
  return columnOf(columns, roles.id, unlessTold(["id", "record_id"], roles));
}

/** Names that the roles do not give to something else. */
function unlessTold(names: readonly string[], { inputs = [], outputs = [], ignore = [] }: TableRoles) {
  return names.filter((name) => ![...inputs, ...outputs, ...ignore].includes(name));
}

function headOf(columns: readonly TableColumn[], roles: TableRoles): JsonColumn[] {
  const members = [
    { member: "row", asked: undefined, as: "whole" },
    { member: "time", asked: roles.time, as: "time" },
    { member: "version", asked: undefined, as: "text" },
    { member: "deployment", asked: undefined, as: "text" },
    { member: "status", asked: undefined, as: "whole" },
    { member: "latency_ms", asked: undefined, as: "value" },
    { member: "weight", asked: undefined, as: "value" },
  ] as const;
  return members.flatMap(({ member, asked, as }) => {
    const column = columnOf(columns, asked, unlessTold([member], roles));
    return column ? [{ member, column, as }] : [];
  });
}

function columnOf(
  columns: readonly TableColumn[],
  asked: string | undefined,
  names: readonly string[],
): TableColumn | undefined {
  if (asked !== undefined) return named(columns, asked, "the query");
  return columns.find(({ name }) => names.includes(name));
}

function named(columns: readonly TableColumn[], name: string, where: string): TableColumn {
  const column = columns.find((candidate) => candidate.name === name);
  if (column) return column;
  const known = columns.map((each) => each.name).join(", ");
  throw new ServiceError(
    "invalid-input",
    `${where} names column "${name}", and the table has ${known.slice(0, 300)}`,
  );
}
