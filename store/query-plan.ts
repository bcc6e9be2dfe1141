import { identifier } from "./identifier.ts";
import { TABLE_FUNCTIONS } from "./query-functions.ts";

/** Tables behind the views of schema `results`. */
const RESULT_TABLES: readonly string[] = [
  "collected_models",
  "model_columns",
  "baselines",
  "window_results",
  "drift_results",
  "alerts",
  "retrain_runs",
  "model_versions",
  "model_alias_changes",
];

interface PlanNode {
  readonly name: string;
  readonly children: readonly PlanNode[];
  readonly extra_info: Readonly<Record<string, unknown>>;
}

/**
 * Checks DuckDB's own plan of a query that was found good before: a second look, at what the names in it came to mean.
 * A bug in the first would show here.
 *
 * @throws RangeError when the plan reads a table or calls a table function that a query may not.
 */
export function checkPlan(
  planJson: string,
  { catalog, modelTables }: { readonly catalog: string; readonly modelTables: readonly string[] },
): void {
  const allowed = new Set(
    [...RESULT_TABLES, ...modelTables].flatMap((name) => [
      `${catalog}.main.${name}`,
      `${catalog}.main.${identifier(name)}`,
    ]),
  );
  const visit = ({
    name,
    children,
    extra_info: { Table: table, Function: tableFunction },
  }: PlanNode): void => {
    if (table !== undefined && !allowed.has(String(table))) throw escaped(`reads ${String(table)}`);
    if (tableFunction !== undefined && !TABLE_FUNCTIONS.has(String(tableFunction).toLowerCase())) {
      throw escaped(`calls ${String(tableFunction)} (${name})`);
    }
    for (const child of children) visit(child);
  };
  for (const root of JSON.parse(planJson) as readonly PlanNode[]) visit(root); // DuckDB's own form
}

function escaped(what: string): RangeError {
  return new RangeError(`a query was found good, but its plan ${what}`);
}
