import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Alerts } from "../alerts/alerts.ts";
import { type CaptureIntake, openCaptureIntake } from "../collector/capture-formats/capture-intake.ts";
import { ForeignBodies } from "../collector/capture-formats/foreign-bodies.ts";
import { halfSeal } from "../collector/capture-formats/half-seal.ts";
import { TableUpload } from "../collector/capture-formats/table-upload.ts";
import { type Collector, openCollector } from "../collector/collector.ts";
import { Deployments } from "../deployer/deployments.ts";
import { modelInspector } from "../deployer/inspect-model.ts";
import { Outbox } from "../events/outbox.ts";
import { ProfileRuns } from "../profiler/profile-runs.ts";
import { PendingArtifacts } from "../registry/mlflow/pending-artifacts.ts";
import { Registry } from "../registry/registry.ts";
import { Retrain } from "../retrain-trigger/retrain.ts";
import { durationMs } from "../schema/duration.ts";
import { CaptureHalves } from "../store/capture-halves.ts";
import { Database } from "../store/database.ts";
import { EventStore } from "../store/events.ts";
import { HourCounts } from "../store/hour-counts.ts";
import { MonitorStore } from "../store/monitors.ts";
import { ProfileStore } from "../store/profiles.ts";
import { QueryRunner } from "../store/query.ts";
import { queryLimitsOf } from "../store/query-limits.ts";
import { RecordStore } from "../store/records.ts";
import { ResultStore } from "../store/results.ts";
import { isLoopback } from "./auth.ts";
import { Baselines } from "./baseline.ts";
import { collectSettings } from "./collect-settings.ts";
import type { Config } from "./config-schema.ts";
import { captureTarget, replicaProgram } from "./deploy-settings.ts";
import { Exports } from "./exports.ts";
import type { Log } from "./log.ts";
import type { ServiceMetrics } from "./metrics.ts";
import type { MonitorParts } from "./monitor.ts";
import { version } from "./package-root.ts";

/** Where the collector keeps files that the database reads and writes. */
const COLLECTOR_FOLDERS = ["loading", "exports"] as const;

/** What the service is made of. */
export interface Parts extends MonitorParts {
  readonly collector: Collector;
  readonly capture: CaptureIntake;
  readonly foreign: ForeignBodies;
  readonly outbox: Outbox;
  readonly alerts: Alerts;
  readonly retrain: Retrain;
  readonly registry: Registry;
  readonly deployments: Deployments;
  /** Files that MLflow clients have sent ahead of their versions. */
  readonly pending: PendingArtifacts;
  readonly events: EventStore;
  readonly metrics: ServiceMetrics;
  readonly queries: QueryRunner;
  readonly hourCounts: HourCounts;
  readonly exports: Exports;
  readonly profileRuns: ProfileRuns;
  /** Folder for files under way; empty after a start. */
  readonly scratchDir: string;
  close(): Promise<void>;
}

/** Opens the store and everything on it; what an earlier process had acknowledged is in the tables when it returns. */
export async function openParts({
  config,
  publicUrl,
  localUrl = publicUrl,
  metrics,
  log,
  now,
  random,
}: {
  readonly config: Config;
  readonly publicUrl: () => string;
  /** How programs of this machine reach the server. */
  readonly localUrl?: () => string;
  readonly metrics: ServiceMetrics;
  readonly log: Log;
  readonly now: () => Date;
  readonly random: () => number;
}): Promise<Parts> {
  const dataDir = config.data_dir;
  const scratchDir = join(dataDir, "scratch");
  const database = await Database.open(join(dataDir, "leeway.duckdb"), {
    memoryLimit: config.memory_limit,
    pause: sleep,
    folders: [scratchDir, ...COLLECTOR_FOLDERS.map((name) => join(dataDir, name))],
  });
  try {
    await rm(scratchDir, { recursive: true, force: true });
    await mkdir(scratchDir, { recursive: true });
    const collect = collectSettings(config);
    const collector = await openCollector({
      database,
      dataDir,
      now,
      metrics,
      log: (message, fields) => log.info(fields, message),
      collect,
      limits: {
        bodyBytes: config.max_body_bytes,
        queuedBytes: config.max_queued_bytes,
        backlogBytes: config.max_backlog_bytes,
      },
    });
    const registry = await Registry.open({
      database,
      folder: join(dataDir, "models"),
      scratchDir,
      limits: { modelBytes: config.max_model_bytes },
      now,
      inspectModel: modelInspector(scratchDir),
    });
    const capture = await openCaptureIntake({
      collector,
      halves: new CaptureHalves(database, halfSeal(collect)),
      metrics,
      now,
      waitMs: durationMs(config.capture_wait),
      mostBytes: config.max_capture_waiting_bytes,
      namesOf: (model, version) => registry.featureNames.of(model, version),
    });
    const upload = new TableUpload({
      collector,
      database,
      folder: scratchDir,
      mostBytes: config.max_upload_bytes,
    });
    metrics.set("leeway_ingest_queue_limit_bytes", {}, config.max_queued_bytes);
    metrics.set("leeway_ingest_backlog_limit_bytes", {}, config.max_backlog_bytes);
    const outbox = new Outbox({ database, now, random });
    const mayBePrivate = config.allow_private_targets ?? isLoopback(config.host);
    const privateAddresses = mayBePrivate ? "allow" : "refuse";
    const queries = new QueryRunner({
      database,
      folder: scratchDir,
      pause: (ms) => sleep(ms),
      limits: queryLimitsOf(config),
    });
    const told = { database, outbox, privateAddresses, metrics, now, publicUrl } as const;
    const email =
      config.smtp_url === undefined ? undefined : { smtpUrl: config.smtp_url, from: config.smtp_from };
    const records = new RecordStore(database);
    const deployments = new Deployments({
      database,
      folder: join(resolve(dataDir), "deployments"),
      resolve: (model, reference) => registry.resolve(model, reference),
      program: replicaProgram(),
      capture: () => captureTarget(config, localUrl()),
      metrics,
      log: (level, message, fields) => log[level](fields, message),
      now,
    });
    const retrain = new Retrain(told);
    registry.askBeforeDeleting((model, version) => deployments.userOf(model, version));
    registry.askBeforeDeleting((model, version) => retrain.userOf(model, version));
    return {
      database,
      collector,
      capture,
      foreign: new ForeignBodies({ intake: capture, upload, collector }),
      outbox,
      metrics,
      now,
      scratchDir,
      queries,
      records,
      registry,
      deployments,
      pending: new PendingArtifacts({ blobs: registry.blobs, mostBytes: config.max_model_bytes, now }),
      exports: new Exports({ database, records, folder: join(dataDir, "exports"), version, now }),
      hourCounts: new HourCounts(database),
      baselines: new Baselines(database, collect),
      monitors: new MonitorStore(database),
      profiles: new ProfileStore(database),
      profileRuns: new ProfileRuns({ database, now }),
      results: new ResultStore(database),
      events: new EventStore(database),
      alerts: new Alerts({ ...told, email }),
      retrain,
      close: async () => {
        await queries.close();
        await outbox.close();
        await collector.close();
        await database.close();
      },
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}
