import { isNumeric } from "../drift/baseline-column.ts";
import { driftedColumns, type JudgeOptions } from "../drift/judge.ts";
import type { MeasuredColumn } from "../drift/measure-column.ts";
import { unitChange } from "../drift/unit-change.ts";
import type { Cause } from "../schema/drift-result.ts";
import type { StoredMonitor } from "../store/monitors.ts";
import type { ProfileStore } from "../store/profiles.ts";
import type { RecordStore } from "../store/records.ts";
import type { ResultStore } from "../store/results.ts";
import { chanceDistance } from "./compare-files.ts";
import type { WatchedColumn } from "./observe-window.ts";
import type { Window } from "./window-grid.ts";

interface Parts {
  readonly records: RecordStore;
  readonly profiles: ProfileStore;
  readonly results: ResultStore;
}

/** Looks closer at what has drifted: the rows of those columns alone are read once more. */
export async function findCauses(
  parts: Parts,
  {
    monitor,
    columns,
    measured,
    window,
    options,
  }: {
    readonly monitor: StoredMonitor;
    readonly columns: readonly WatchedColumn[];
    readonly measured: readonly MeasuredColumn[];
    readonly window: Window;
    readonly options: JudgeOptions;
  },
): Promise<Map<string, Cause>> {
  const causes = new Map<string, Cause>();
  const suspects = driftedColumns(measured, options);
  const source = suspects.size > 0 ? await parts.records.windowOf(monitor.model, window) : undefined;
  if (source === undefined) return causes;
  if ((await parts.records.deletedHours(monitor.model, window)).length > 0) {
    return knownCauses(parts, monitor, window, suspects);
  }
  for (const { baseline: column, profile } of columns) {
    if (!suspects.has(column.name) || !isNumeric(column) || !profile) continue;
    const quantiles = await parts.profiles.quantiles({
      source,
      column: profile,
      points: column.quantiles.length,
    });
    const evidence = measured.find(({ pair }) => pair.baseline.name === column.name)?.drift;
    const cause = unitChange(column.quantiles, quantiles, chanceDistance(evidence?.effectAt(0.001)));
    if (cause) causes.set(column.name, cause);
  }
  return causes;
}

/** Where rows are deleted: what was found while they were there. */
async function knownCauses(
  { results }: Parts,
  { model, name }: StoredMonitor,
  window: Window,
  suspects: ReadonlySet<string>,
): Promise<Map<string, Cause>> {
  const [from, to] = [window.from.toISOString(), window.to.toISOString()];
  const [earlier] = await results.find({ model, monitor: name, from, to, limit: 1 });
  return new Map(
    (earlier?.columns ?? []).flatMap(({ name: column, cause }) =>
      cause?.kind === "unit-change" && suspects.has(column) ? [[column, cause] as const] : [],
    ),
  );
}
