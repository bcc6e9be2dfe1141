import {
  type BaselineColumn,
  type ColumnRole,
  categoricalBaseline,
  isNumeric,
  isNumericType,
  numericBaseline,
} from "../drift/baseline-column.ts";
import { hasBins } from "../drift/binned.ts";
import type { BlockSeries } from "../drift/calibration-windows.ts";
import { ServiceError } from "../schema/errors.ts";
import type { CategoryCounts, Dataset, DatasetColumn, NumericValues, Slice } from "../store/dataset.ts";

const HOUR_MS = 3_600_000;
export const BLOCK_MS = { hour: HOUR_MS, day: 24 * HOUR_MS } as const;

/** The column that says when: the one named, none when `none` is named, else the only one that can be meant. */
export function timeColumnOf(dataset: Dataset, wanted: string | undefined): DatasetColumn | undefined {
  if (wanted === "none") return undefined;
  const times = dataset.columns.filter(({ type }) => type === "timestamp");
  if (wanted !== undefined) {
    const named = dataset.columns.find(({ name }) => name === wanted);
    if (!named)
      throw new ServiceError(
        "invalid-input",
        `${dataset.path} has no column "${wanted}": it has ${names(dataset)}`,
      );
    if (named.type !== "timestamp") {
      throw new ServiceError(
        "invalid-input",
        `column "${wanted}" of ${dataset.path} is ${named.type}, not a timestamp: it cannot be the time column`,
      );
    }
    return named;
  }
  const usual = times.filter(({ name }) => /^(time|timestamp|event_time|datetime|ts|date)$/i.test(name));
  return usual.length === 1 ? usual[0] : times.length === 1 ? times[0] : undefined;
}

function names(dataset: Dataset): string {
  return dataset.columns.map(({ name }) => name).join(", ");
}

/** A column's values as they are compared: numbers sorted, categories counted. */
export type ColumnValues =
  | ({ readonly kind: "numeric" } & NumericValues)
  | ({ readonly kind: "categorical" } & CategoryCounts);

export async function readColumn(
  dataset: Dataset,
  { name, type }: Pick<DatasetColumn, "name" | "type">,
  slice?: Slice,
): Promise<ColumnValues> {
  return isNumericType(type)
    ? { kind: "numeric", ...(await dataset.numeric(name, slice)) }
    : { kind: "categorical", ...(await dataset.categories(name, slice)) };
}

/** Describes a column of the training data. */
export function describeColumn(
  { name, type }: DatasetColumn,
  role: ColumnRole,
  values: ColumnValues,
): BaselineColumn {
  const about = { name, role, rows: values.rows, missing: values.missing };
  if (values.kind === "numeric" && isNumericType(type)) {
    return numericBaseline({ ...about, type, unusable: unusable(values) }, values.sorted);
  }
  if (values.kind === "categorical" && !isNumericType(type)) {
    return categoricalBaseline({ ...about, type, unusable: 0 }, values.counts);
  }
  throw new RangeError(`column "${name}" is ${type}, its values are ${values.kind}`);
}

/** Values that are there and are no finite number. */
export function unusable({ nan, infinite, unreadable }: NumericValues): number {
  return nan + infinite + unreadable;
}

/** What to count, block by block, so that windows of a column can be added up on the bins of its deciding test. */
export function blockSpec(column: BaselineColumn): { name: string; edges?: number[]; categories?: string[] } {
  if (!isNumeric(column))
    return { name: column.name, categories: column.categories.map(({ category }) => category) };
  // Hardly any values: the test is made on the values themselves, see `testCounts`.
  return {
    name: column.name,
    edges: hasBins(column) ? [...column.edges] : [Number.NEGATIVE_INFINITY, ...column.fine_edges],
  };
}

/** The baseline over its own time: one series per column, without gaps. */
export async function readBlocks(
  dataset: Dataset,
  timeColumn: DatasetColumn,
  unit: "hour" | "day",
  columns: readonly BaselineColumn[],
): Promise<Map<string, BlockSeries>> {
  const blocks = await dataset.blockCounts(timeColumn.name, unit, columns.map(blockSpec));
  const range = await dataset.timeRange(timeColumn.name);
  if (!range) return new Map();
  return seriesOf(
    unit,
    blocks.flatMap(({ start, columns: counted }) =>
      Object.entries(counted).map(([column, { missing, counts }]) => ({ column, start, missing, counts })),
    ),
    range,
  );
}

/** First and last time of the training data. */
export interface TimeRange {
  readonly from: Date;
  readonly to: Date;
}

/** Of a block at either end of the data at least this share has to lie within them: half a day is not a quiet day. */
const COVERED = 0.9;

function isCovered(start: Date, step: number, { from, to }: TimeRange): boolean {
  const before = from.getTime() - start.getTime();
  const until = to.getTime() - start.getTime();
  const wholeAtOnce = until === 0; // times of the block's own resolution, such as dates
  return before <= (1 - COVERED) * step && (wholeAtOnce || until >= COVERED * step);
}

/** Sorts blocks into series, fills the gaps with blocks that hold nothing, and leaves out what the data cover in part. */
export function seriesOf(
  unit: "hour" | "day",
  all: readonly {
    readonly column: string;
    readonly start: Date;
    readonly missing: number;
    readonly counts: readonly number[];
  }[],
  range: TimeRange,
): Map<string, BlockSeries> {
  const step = BLOCK_MS[unit];
  const blocks = all.filter(({ start }) => isCovered(start, step, range));
  let first = Number.POSITIVE_INFINITY;
  let last = Number.NEGATIVE_INFINITY;
  for (const { start } of blocks) {
    first = Math.min(first, start.getTime());
    last = Math.max(last, start.getTime());
  }
  const byColumn = new Map<string, { missing: number[]; counts: (readonly number[])[] }>();
  const length = Number.isFinite(first) ? Math.round((last - first) / step) + 1 : 0;
  for (const { column, start, missing, counts } of blocks) {
    let series = byColumn.get(column);
    if (!series) {
      const nothing = counts.map(() => 0);
      series = {
        missing: new Array<number>(length).fill(0),
        counts: new Array<readonly number[]>(length).fill(nothing),
      };
      byColumn.set(column, series);
    }
    const at = Math.round((start.getTime() - first) / step);
    series.missing[at] = missing;
    series.counts[at] = counts;
  }
  return new Map([...byColumn].map(([column, series]) => [column, { block_ms: step, ...series }]));
}
