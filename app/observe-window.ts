import { type BaselineColumn, isNumeric } from "../drift/baseline-column.ts";
import {
  mergeObserved,
  nothingObserved,
  type ObservedColumn,
  weighObserved,
} from "../drift/observed-column.ts";
import type { HourlyProfile, ProfileColumn, ProfileStore } from "../store/profiles.ts";
import type { RecordStore } from "../store/records.ts";
import type { Baseline } from "./baseline.ts";
import type { Window } from "./window-grid.ts";

const HOUR_MS = 3_600_000;

/** A column of the baseline and where collected records hold it; `undefined` where they do not. */
export interface WatchedColumn {
  readonly baseline: BaselineColumn;
  readonly profile: ProfileColumn | undefined;
}

/** Finds each column of the baseline among the collected ones: inputs as `in_…`, predictions as `out_…`, the label as `label`. */
export async function watchedColumns(
  records: Pick<RecordStore, "columnsOf">,
  baseline: Baseline,
  only: readonly string[] | undefined,
): Promise<WatchedColumn[]> {
  const collected = await records.columnsOf(baseline.model);
  return baseline.columns
    .filter(({ name }) => only === undefined || only.includes(name))
    .map((column) => {
      const wanted =
        column.role === "label" ? "label" : `${column.role === "prediction" ? "out" : "in"}_${column.name}`;
      const found =
        collected.find(({ name }) => name === wanted) ??
        collected.find(({ name }) => name.toLowerCase() === wanted.toLowerCase());
      return {
        baseline: column,
        profile: found && {
          name: column.name,
          column: found.column,
          physical: found.type,
          numeric: isNumeric(column)
            ? {
                edges: column.fine_edges,
                min: column.min,
                max: column.max,
                timestamp: column.type === "timestamp",
              }
            : undefined,
        },
      };
    });
}

/**
 * What the window shows of each column: hourly profiles are brought up to date for the hours that received
 * records since, then added up. Windows begin and end on full hours, or the hours they touch are taken whole.
 */
export async function observeWindow(
  { profiles, records }: { readonly profiles: ProfileStore; readonly records: RecordStore },
  baseline: Baseline,
  columns: readonly WatchedColumn[],
  { from, to }: Window,
): Promise<Map<string, ObservedColumn>> {
  const hours = { from: floorHour(from), to: ceilHour(to) };
  const source = await records.windowOf(baseline.model, hours);
  if (source === undefined)
    return new Map(columns.map(({ baseline: column }) => [column.name, nothingObserved(column)]));
  // All of the baseline's columns, not those asked for: an hour is counted once, for every monitor.
  const all = await watchedColumns(records, baseline, undefined);
  const present = all.flatMap(({ profile }) => (profile ? [profile] : []));
  const key = { baselineId: baseline.id, model: baseline.model, ...hours };
  const stale = await profiles.staleHours(key);
  await profiles.refresh({ ...key, source, hours: stale, columns: present });
  const byName = new Map<string, HourlyProfile[]>();
  for (const profile of await profiles.hours(key)) {
    const list = byName.get(profile.column) ?? [];
    list.push(profile);
    byName.set(profile.column, list);
  }
  return new Map(
    columns.map(({ baseline: column }) => [
      column.name,
      (byName.get(column.name) ?? [])
        .map((hour) => observedOf(column, hour))
        .reduce(mergeObserved, nothingObserved(column)),
    ]),
  );
}

function observedOf(column: BaselineColumn, hour: HourlyProfile): ObservedColumn {
  return weighObserved(countedOf(column, hour), hour.weight);
}

function countedOf(column: BaselineColumn, hour: HourlyProfile): ObservedColumn {
  const common = { rows: hour.rows, missing: hour.missing, unusable: hour.unusable };
  if (!isNumeric(column))
    return { kind: "categorical", ...common, counts: new Map(Object.entries(hour.categories ?? {})) };
  // The store counts up to each edge and then beyond the last one; the last bin takes what is outside.
  const inner = hour.counts.slice(0, -1);
  if (inner.length > 0) inner[inner.length - 1] = (inner.at(-1) ?? 0) + (hour.counts.at(-1) ?? 0);
  return {
    kind: "numeric",
    ...common,
    mean: hour.mean,
    std: hour.std,
    min: hour.min,
    max: hour.max,
    fine_counts: inner.length > 0 ? inner : column.fine_counts.map(() => 0),
    below: hour.below,
    above: hour.above,
  };
}

function floorHour(time: Date): Date {
  return new Date(Math.floor(time.getTime() / HOUR_MS) * HOUR_MS);
}

function ceilHour(time: Date): Date {
  return new Date(Math.ceil(time.getTime() / HOUR_MS) * HOUR_MS);
}
