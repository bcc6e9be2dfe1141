import type { Alerts } from "../alerts/alerts.ts";
import type { Collector } from "../collector/collector.ts";
import { budgetOf } from "../drift/budget.ts";
import { type JudgeOptions, judge } from "../drift/judge.ts";
import { type MeasuredColumn, measureColumn } from "../drift/measure-column.ts";
import { emit } from "../events/events.ts";
import type { Retrain } from "../retrain-trigger/retrain.ts";
import type { ColumnResult, WindowResult } from "../schema/drift-result.ts";
import { durationMs } from "../schema/duration.ts";
import type { MonitorMetrics } from "../schema/metrics.ts";
import type { Database, Transaction } from "../store/database.ts";
import { labelledShare } from "../store/hour-counts.ts";
import type { MonitorStore, StoredMonitor } from "../store/monitors.ts";
import type { ProfileStore } from "../store/profiles.ts";
import type { RecordStore } from "../store/records.ts";
import type { ResultStore } from "../store/results.ts";
import type { Baseline, Baselines } from "./baseline.ts";
import { findCauses } from "./find-causes.ts";
import { observeWindow, type WatchedColumn, watchedColumns } from "./observe-window.ts";
import { countResult } from "./show-result.ts";
import type { Window } from "./window-grid.ts";

export interface MonitorParts {
  readonly database: Database;
  readonly collector: Pick<Collector, "flush">;
  readonly records: RecordStore;
  readonly baselines: Baselines;
  readonly monitors: MonitorStore;
  readonly profiles: ProfileStore;
  readonly results: ResultStore;
  readonly alerts: Pick<Alerts, "onWindow" | "endForMonitor">;
  readonly retrain: Pick<Retrain, "onWindow">;
  readonly metrics: MonitorMetrics;
  readonly now: () => Date;
}

/** As many earlier windows as any rule or policy may look back on. */
const HISTORY = 100;

/**
 * Checks one closed window of one monitor: the whole story of what Leeway does for a living.
 * Everything that follows from the result commits together, so that a restart neither repeats nor loses it.
 */
export async function checkWindow(
  parts: MonitorParts,
  monitor: StoredMonitor,
  window: Window,
): Promise<WindowResult> {
  const started = parts.now().getTime();
  await parts.collector.flush(); // what was acknowledged is in the tables
  const baseline = await parts.baselines.get(monitor.model, monitor.spec.version);
  const columns = await watchedColumns(parts.records, baseline, monitor.spec.columns);
  const measured = await measureWindow(parts, { baseline, monitor, columns, window });
  const options = judgeOptions(monitor);
  const causes = await findCauses(parts, { monitor, columns, measured, window, options });
  const counts = await parts.records.countWindow(monitor.model, window);
  const judgement = judge(measured, { ...options, causes }, neverSeen(columns, monitor));
  const result: WindowResult = {
    model: monitor.model,
    version: baseline.version,
    monitor: monitor.name,
    from: window.from.toISOString(),
    to: window.to.toISOString(),
    rows: Math.round(counts.weight),
    labelled: labelledShare(counts),
    ...judgement,
    computed_at: parts.now().toISOString(),
  };
  await parts.database.transaction(async (tx) => {
    await parts.results.save(tx, result);
    const history = await parts.results.recent(tx, {
      model: result.model,
      monitor: result.monitor,
      to: result.to,
      limit: HISTORY,
    });
    await tellOfChange(parts, tx, result, history);
    await parts.alerts.onWindow(tx, result, history);
    await parts.retrain.onWindow(tx, result, history);
    await parts.monitors.advance(tx, monitor, window.to);
  });
  countResult(parts.metrics, result);
  parts.metrics.observe("leeway_check_duration_seconds", {}, (parts.now().getTime() - started) / 1_000);
  return result;
}

async function measureWindow(
  parts: MonitorParts,
  {
    baseline,
    monitor,
    columns,
    window,
  }: {
    readonly baseline: Baseline;
    readonly monitor: StoredMonitor;
    readonly columns: readonly WatchedColumn[];
    readonly window: Window;
  },
): Promise<MeasuredColumn[]> {
  const collected = columns.filter(({ profile }) => profile !== undefined);
  const observed = await observeWindow(parts, baseline, collected, window);
  const { series, windowBlocks } = await parts.baselines.series(baseline, durationMs(monitor.spec.window));
  return collected.flatMap(({ baseline: column }) => {
    const current = observed.get(column.name);
    return current
      ? [measureColumn({ baseline: column, current, blocks: series.get(column.name), windowBlocks })]
      : [];
  });
}

function judgeOptions({ spec }: StoredMonitor): JudgeOptions {
  return {
    budget: budgetOf(spec.false_alarms, durationMs(spec.window)),
    minimumEffect: spec.minimum_effect,
    minimumRows: spec.minimum_rows,
  };
}

/** Columns that the baseline has and no record ever held: said once a window, without spoiling the rest. */
function neverSeen(columns: readonly WatchedColumn[], { spec }: StoredMonitor): ColumnResult[] {
  return columns
    .filter(({ profile, baseline }) => profile === undefined && baseline.role !== "label")
    .map(({ baseline: { name, type } }) => ({
      name,
      type,
      verdict: "error",
      reason: `no record of this model has held "${name}" yet: there is nothing to compare`,
      primary: null,
      p_value: null,
      effect: null,
      minimum_effect: spec.minimum_effect,
      statistics: {},
      baseline: null,
      current: null,
      quality: [],
      calibration: null,
      cause: null,
    }));
}

/** Life-cycle events tell of changes, not of every window. */
async function tellOfChange(
  parts: MonitorParts,
  tx: Transaction,
  result: WindowResult,
  history: readonly WindowResult[],
): Promise<void> {
  const [, previous] = history;
  const now = result.dataset.verdict;
  const before = previous?.dataset.verdict ?? "stable";
  const tell = async (type: "drift.detected" | "drift.cleared" | "quality.failed" | "quality.recovered") =>
    emit(
      tx,
      {
        type: `dev.leeway.${type}`,
        subject: `models/${result.model}/monitors/${result.monitor}`,
        data: {
          model: result.model,
          monitor: result.monitor,
          version: result.version,
          from: result.from,
          to: result.to,
          reason: result.dataset.reason,
        },
      },
      parts.now(),
    );
  if (now === "drifted" && before !== "drifted") await tell("drift.detected");
  if (now === "stable" && before === "drifted") await tell("drift.cleared");
  if (now === "quality" && before !== "quality") await tell("quality.failed");
  if (now === "stable" && before === "quality") await tell("quality.recovered");
}
