import type { ColumnResult, ColumnType } from "../schema/drift-result.ts";
import { ServiceError } from "../schema/errors.ts";
import type { Dataset, DatasetColumn } from "../store/dataset.ts";

/** The columns that were asked for, all when none were named. @throws ServiceError `invalid-input` that names one that is not there. */
export function chosenColumns(
  dataset: Dataset,
  wanted: readonly string[] | undefined,
): readonly DatasetColumn[] {
  if (!wanted) return dataset.columns;
  return wanted.map((name) => {
    const column = dataset.columns.find((candidate) => candidate.name === name);
    if (!column) {
      throw new ServiceError(
        "invalid-input",
        `${dataset.path} has no column "${name}": it has ${dataset.columns.map((c) => c.name).join(", ")}`,
      );
    }
    return column;
  });
}

/** Columns that only one side has: a verdict with a reason, never a crash. */
export function absentColumns(
  baseline: Dataset,
  current: Dataset,
  wanted: readonly { readonly name: string; readonly type: ColumnType }[],
  timeColumn: string | undefined,
  {
    columns,
    minimumEffect,
  }: { readonly columns?: readonly string[] | undefined; readonly minimumEffect?: number | undefined },
): ColumnResult[] {
  const nothing = {
    primary: null,
    p_value: null,
    effect: null,
    minimum_effect: minimumEffect ?? 0.1,
    statistics: {},
    baseline: null,
    current: null,
    calibration: null,
    cause: null,
  };
  const gone = wanted.filter(({ name }) => !current.columns.some((column) => column.name === name));
  const added = columns
    ? []
    : current.columns.filter(
        ({ name }) => name !== timeColumn && !baseline.columns.some((column) => column.name === name),
      );
  return [
    ...gone.map(({ name, type }): ColumnResult => {
      const reason = `"${name}" is in the baseline and not in ${current.path}`;
      return {
        name,
        type,
        verdict: "quality",
        reason: `data quality: ${reason}`,
        quality: [{ check: "absent", value: 1, verdict: "quality", reason }],
        ...nothing,
      };
    }),
    ...added.map(
      ({ name, type }): ColumnResult => ({
        name,
        type,
        verdict: "error",
        reason: `"${name}" is not in the baseline: there is nothing to compare it with`,
        quality: [],
        ...nothing,
      }),
    ),
  ];
}
