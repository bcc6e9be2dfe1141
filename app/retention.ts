import type { Collector } from "../collector/collector.ts";
import { durationMs } from "../schema/duration.ts";
import { ServiceError } from "../schema/errors.ts";
import type { Metrics } from "../schema/metrics.ts";
import type { Database } from "../store/database.ts";
import type { HourCounts } from "../store/hour-counts.ts";
import type { MonitorStore } from "../store/monitors.ts";
import type { ProfileStore } from "../store/profiles.ts";
import type { RecordStore } from "../store/records.ts";
import { oldestRecord, sealBefore, storedBytes } from "../store/retention.ts";
import type { Baselines } from "./baseline.ts";
import { bytesOf } from "./byte-amount.ts";
import type { Config } from "./config-schema.ts";
import { observeWindow, watchedColumns } from "./observe-window.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Old records may come in while they are counted: then they are counted once more, but not for ever. */
const MOST_TRIES = 5;

export interface RetentionParts {
  readonly database: Database;
  readonly collector: Pick<Collector, "flush" | "deleteBefore">;
  readonly records: RecordStore;
  readonly baselines: Baselines;
  readonly monitors: MonitorStore;
  readonly profiles: ProfileStore;
  readonly hourCounts: HourCounts;
  readonly metrics: Metrics;
  readonly now: () => Date;
}

/** When it says so, a run ends after the piece at hand; the next one goes on. */
type Stop = AbortSignal | undefined;

export type RetentionSettings = Pick<Config, "retention_age" | "retention_size" | "models">;

/** What a run has deleted, and what stood in its way. */
export interface RetentionReport {
  readonly records: number;
  readonly labels: number;
  readonly failed: readonly { readonly model: string; readonly error: unknown }[];
  /** `too-small`: even without anything but the current day the database is above its bound. */
  readonly size: "within" | "unbounded" | "too-small";
}

/**
 * Deletes records and labels that are older than the settings say, and the oldest days while the database is larger than
 * they say. What monitors need of them is counted first and stays.
 */
export async function applyRetention(
  parts: RetentionParts,
  settings: RetentionSettings,
  stop?: AbortSignal,
): Promise<RetentionReport> {
  await parts.collector.flush();
  const deleted = { records: 0, labels: 0 };
  const failed: { model: string; error: unknown }[] = [];
  for (const model of await parts.records.modelNames()) {
    const age = settings.models[model]?.retention_age ?? settings.retention_age;
    if (age === undefined || age === "forever") continue;
    const time = floorHour(new Date(parts.now().getTime() - durationMs(age)));
    try {
      await deleteBefore(parts, { model, time, stop }, deleted);
    } catch (error) {
      failed.push({ model, error }); // the others go on; this one is tried again next time
    }
  }
  if (deleted.records + deleted.labels > 0) await parts.database.checkpoint();
  const size =
    settings.retention_size === undefined
      ? "unbounded"
      : await shrinkBelow(parts, { bytes: bytesOf(settings.retention_size), stop }, deleted);
  parts.metrics.set("leeway_store_bytes", {}, await storedBytes(parts.database));
  return { ...deleted, failed, size };
}

/** Deletes the oldest day of all models, again and again; the current day stays whatever the bound. */
async function shrinkBelow(
  parts: RetentionParts,
  { bytes, stop }: { readonly bytes: number; readonly stop: Stop },
  deleted: { records: number; labels: number },
): Promise<"within" | "too-small"> {
  const today = new Date(Math.floor(parts.now().getTime() / DAY_MS) * DAY_MS);
  await parts.database.checkpoint(); // what was deleted before counts no more
  while ((await storedBytes(parts.database)) > bytes) {
    if (stop?.aborted) break;
    const days: Date[] = [];
    for (const model of await parts.records.modelNames()) {
      const oldest = await oldestRecord(parts.database, model, today);
      if (oldest) days.push(oldest);
    }
    const oldest = Math.min(...days.map((day) => day.getTime()));
    if (!Number.isFinite(oldest)) return "too-small";
    const time = new Date((Math.floor(oldest / DAY_MS) + 1) * DAY_MS);
    for (const model of await parts.records.modelNames())
      await deleteBefore(parts, { model, time, stop }, deleted);
    await parts.database.checkpoint();
  }
  return "within";
}

async function deleteBefore(
  parts: RetentionParts,
  { model, time, stop }: { readonly model: string; readonly time: Date; readonly stop: Stop },
  deleted: { records: number; labels: number },
): Promise<void> {
  if (stop?.aborted) return;
  for (let tries = 1, state = "behind"; state === "behind"; tries++) {
    await countForGood(parts, model, time);
    const unless = tries < MOST_TRIES ? "behind" : "never";
    const sealing = { model, time, now: parts.now(), unless } as const;
    state = await parts.database.transaction((tx) => sealBefore(tx, sealing));
  }
  for await (const piece of parts.collector.deleteBefore(model, time)) {
    const records = sum(piece.records);
    const labels = sum(piece.labels);
    deleted.records += records;
    deleted.labels += labels;
    parts.metrics.count("leeway_retention_deleted_total", { model, kind: "records" }, records);
    parts.metrics.count("leeway_retention_deleted_total", { model, kind: "labels" }, labels);
    if (stop?.aborted) return;
  }
}

/** Brings every profile and count of the records to be deleted up to date: they cannot be made again. */
async function countForGood(parts: RetentionParts, model: string, until: Date): Promise<void> {
  const from = await oldestRecord(parts.database, model, until);
  if (!from) return;
  await parts.hourCounts.refresh(model, { from, to: until });
  const versions = new Set<string | undefined>();
  for (const monitor of await parts.monitors.list()) {
    if (monitor.model === model) versions.add(monitor.spec.version);
  }
  for (const version of versions) {
    const baseline = await parts.baselines.get(model, version).catch((error: unknown) => {
      if (error instanceof ServiceError && error.code === "not-found") return undefined; // its monitor cannot run either
      throw error;
    });
    if (!baseline) continue;
    const columns = (await watchedColumns(parts.records, baseline, undefined)).filter(
      ({ profile }) => profile,
    );
    const stale = await parts.profiles.staleHours({ baselineId: baseline.id, model, from, to: until });
    for (const day of new Set(stale.map((hour) => Math.floor(hour.getTime() / DAY_MS) * DAY_MS))) {
      const to = new Date(Math.min(day + DAY_MS, until.getTime()));
      await observeWindow(parts, baseline, columns, { from: new Date(day), to });
    }
  }
}

function floorHour(time: Date): Date {
  return new Date(Math.floor(time.getTime() / HOUR_MS) * HOUR_MS);
}

function sum(chunks: readonly { readonly rows: number }[]): number {
  return chunks.reduce((total, { rows }) => total + rows, 0);
}
