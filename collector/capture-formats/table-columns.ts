import { ServiceError } from "../../schema/errors.ts";
import type { JsonMember, TableColumn } from "../../store/table-file.ts";

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
  readonly record: readonly JsonMember[];
  readonly label: { readonly members: readonly JsonMember[]; readonly column: TableColumn } | undefined;
}

/** Columns of an export that say nothing of the call itself. */
const NOT_SENT = new Set(["received_at", "weight", "overflow", "label"]);

/**
 * How to read a table: `id` (or `record_id`), `row`, `time`, `version`, `deployment`, `status`, `latency_ms` and `label` are
 * what they say; `in_x` is input x and `out_y` output y, as in an export. In a table without such names every other column
 * is an input, but those that `outputs` names.
 *
 * @throws ServiceError `invalid-input` naming the column that is missing or that has no role.
 */
export function recordPlan(columns: readonly TableColumn[], roles: TableRoles): TablePlan {
  const head = headOf(columns, roles);
  const label = columnOf(columns, roles.label, ["label"]);
  const taken = new Set([...head.map(({ column }) => column.name), ...(roles.ignore ?? [])]);
  if (roles.label !== undefined) taken.add(roles.label);
  const outputs = roles.outputs?.map((name) => named(columns, name, "outputs"));
  const inputs = roles.inputs?.map((name) => named(columns, name, "inputs"));
  for (const { name } of [...(outputs ?? []), ...(inputs ?? [])]) taken.add(name);
  const free = columns.filter(({ name }) => !taken.has(name) && !NOT_SENT.has(name));
  const prefixed = free.some(({ name }) => name.startsWith("in_"));
  const rest = inputs ? [] : free.filter(({ name }) => !prefixed || !/^(in|out)_/.test(name));
  if (prefixed && rest.length > 0)
    throw new ServiceError(
      "invalid-input",
      `column "${rest[0]?.name}" is neither input (in_…) nor output (out_…): name it in inputs, outputs or ignore`,
    );
  const all = (from: readonly TableColumn[], prefix: string) =>
    from
      .filter(({ name }) => name.startsWith(prefix))
      .map((column) => ({ member: column.name.slice(prefix.length), column, as: "value" as const }));
  const bare = (from: readonly TableColumn[]) =>
    from.map((column) => ({ member: column.name, column, as: "value" as const }));
  const members = prefixed && !inputs ? all(free, "in_") : bare(inputs ?? rest);
  const answers = [...bare(outputs ?? []), ...(prefixed ? all(free, "out_") : [])];
  const id = head.find(({ member }) => member === "id");
  if (roles.label !== undefined && !id)
    throw new ServiceError("invalid-input", "a label needs an id: name its column with id=");
  return {
    record: [...head, { member: "inputs", members }, { member: "outputs", members: answers }],
    label:
      label && id && !inputs?.includes(label)
        ? {
            members: [
              ...head.filter(({ member }) => member === "id" || member === "row"),
              { member: "label", column: label, as: "value" },
            ],
            column: label,
          }
        : undefined,
  };
}

/** How to read a table of ground truth: `id` (or `record_id`), `row`, `label`, `time`; other columns are passed over. */
export function labelPlan(columns: readonly TableColumn[], roles: TableRoles): readonly JsonMember[] {
  const head = headOf(columns, roles).filter(({ member }) => ["id", "row", "time"].includes(member));
  const label = columnOf(columns, roles.label, ["label"]);
  if (!label) throw new ServiceError("invalid-input", "no column is called label: name it with label=");
  if (!head.some(({ member }) => member === "id"))
    throw new ServiceError("invalid-input", "no column is called id: name it with id=");
  return [...head, { member: "label", column: label, as: "value" }];
}

function headOf(columns: readonly TableColumn[], roles: TableRoles) {
  const members = [
    { member: "id", asked: roles.id, names: ["id", "record_id"], as: "text" },
    { member: "row", asked: undefined, names: ["row"], as: "whole" },
    { member: "time", asked: roles.time, names: ["time"], as: "time" },
    { member: "version", asked: undefined, names: ["version"], as: "text" },
    { member: "deployment", asked: undefined, names: ["deployment"], as: "text" },
    { member: "status", asked: undefined, names: ["status"], as: "whole" },
    { member: "latency_ms", asked: undefined, names: ["latency_ms"], as: "value" },
  ] as const;
  const explicit = new Set([...(roles.inputs ?? []), ...(roles.outputs ?? []), ...(roles.ignore ?? [])]);
  return members.flatMap(({ member, asked, names, as }) => {
    const column = columnOf(
      columns,
      asked,
      names.filter((name) => !explicit.has(name)),
    );
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
