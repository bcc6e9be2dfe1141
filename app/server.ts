import { mkdir } from "node:fs/promises";
import { refuseOpenServer, requireKey } from "./auth.ts";
import type { Config } from "./config-schema.ts";
import { directIngest } from "./direct-ingest.ts";
import { createApi } from "./http.ts";
import { KeyRing } from "./keys.ts";
import { type Answer, type DirectAnswer, listen } from "./listen.ts";
import type { Log } from "./log.ts";
import { createMetrics } from "./metrics.ts";
import { version } from "./package-root.ts";
import { openParts, type Parts } from "./parts.ts";
import { problemResponse } from "./problem.ts";
import { provision } from "./provision.ts";
import { applyRetention } from "./retention.ts";
import { addRoutes } from "./routes.ts";
import { checkDueWindows, type SchedulerReport } from "./scheduler.ts";
import { showLabels } from "./show-labels.ts";
import { showNewestOfAll } from "./show-result.ts";
import { showUndelivered } from "./show-undelivered.ts";
import { startTicker, type Ticker } from "./ticker.ts";

/** How long requests under way may take after the service was told to stop. */
const STOP_GRACE_MS = 20_000;
const SECOND_MS = 1_000;
/** Records of hours that labels came for are counted anew: not at every turn. */
const LABELS_EVERY_MS = 60 * SECOND_MS;
const RETENTION_EVERY_MS = 24 * 3_600 * SECOND_MS;
const OWNER_ONLY = 0o700;

export interface ServerOptions {
  readonly now: () => Date;
  readonly log: Log;
  /** In [0, 1): spreads retries. */
  readonly random?: () => number;
  /** Pause between looks for windows that have closed. */
  readonly checkEveryMs?: number;
}

export interface RunningServer {
  readonly url: string;
  /** Checks the windows that have closed by now, without waiting for the next turn. */
  checkNow(): Promise<SchedulerReport>;
  /** Answers the requests under way, moves everything acknowledged into the tables, and lets the files go. */
  close(): Promise<void>;
}

/**
 * Runs the service. It listens at once and answers 503 until what an earlier process had acknowledged is in the tables.
 *
 * @throws ServiceError when the configuration would open it to others without keys, the port is taken, or the store
 *   cannot be opened.
 */
export async function startServer(
  config: Config,
  { now, log, random = Math.random, checkEveryMs = 5 * SECOND_MS }: ServerOptions,
): Promise<RunningServer> {
  await mkdir(config.data_dir, { recursive: true, mode: OWNER_ONLY });
  const keys = new KeyRing(config);
  refuseOpenServer(config, keys);
  let state: "starting" | "ready" | "stopping" = "starting";
  const health = (request: Request) => healthAnswer(request, state) ?? notYet();
  let answer: Answer = health;
  let direct: DirectAnswer = () => false;
  const listener = await listen({
    host: config.host,
    port: config.port,
    answer: (request, env) => answer(request, env),
    direct: (incoming, outgoing) => direct(incoming, outgoing),
  });
  const publicUrl = (config.public_url ?? listener.url).replace(/\/+$/, "");
  try {
    const metrics = createMetrics({ version });
    const parts = await openParts({
      config,
      publicUrl: () => publicUrl,
      localUrl: () => listener.url,
      metrics,
      log,
      now,
      random,
    });
    try {
      await provision(parts, config);
      await showNewestOfAll(parts);
      await parts.retrain.policies.showCounters();
      await parts.alerts.showFiring();
      const guard = requireKey(config, keys);
      const api = createApi({ log, guard });
      addRoutes(api, { parts, config, health, publicUrl });
      answer = (request, env) => api.fetch(request, env);
      direct = directIngest({ collector: parts.collector, guard, log });
      const checkNow = inTurn(() => checkWindows(parts, log));
      const stopping = new AbortController();
      const tickers = startTickers({ parts, config, log, stop: stopping.signal, checkNow, checkEveryMs });
      state = "ready";
      log.info({ url: listener.url, version, data_dir: config.data_dir, keys: keys.state() }, "listening");
      return {
        url: listener.url,
        checkNow,
        close: async () => {
          state = "stopping";
          stopping.abort();
          await listener.close(STOP_GRACE_MS);
          await parts.outbox.close();
          await Promise.all(tickers.map((ticker) => ticker.stop()));
          await parts.close();
        },
      };
    } catch (error) {
      await parts.close();
      throw error;
    }
  } catch (error) {
    await listener.close(0);
    throw error;
  }
}

/** Health has to be answered while nothing else can be. */
function healthAnswer(request: Request, state: "starting" | "ready" | "stopping"): Response | undefined {
  const { pathname } = new URL(request.url);
  if (pathname === "/healthz") return Response.json({ status: "alive", version });
  if (pathname === "/readyz")
    return Response.json({ status: state }, { status: state === "ready" ? 200 : 503 });
  return undefined;
}

function notYet(): Response {
  return problemResponse({
    status: 503,
    code: "unavailable",
    detail: "the service is starting: try again in a moment",
    requestId: "",
    headers: { "retry-after": "1" },
  });
}

function startTickers({
  parts,
  config,
  log,
  checkNow,
  checkEveryMs,
  stop,
}: {
  readonly parts: Parts;
  readonly config: Config;
  readonly log: Log;
  readonly checkNow: () => Promise<unknown>;
  readonly checkEveryMs: number;
  readonly stop: AbortSignal;
}): Ticker[] {
  const deliver = async () => {
    for (const { outcome, ...report } of await parts.outbox.deliverDue()) {
      if (outcome === "delivered") log.info(report, "delivered");
      else
        log.warn(
          report,
          outcome === "retried" ? "not delivered, tried again later" : "not delivered, given up",
        );
    }
  };
  return [
    startTicker({ name: "moving records", everyMs: SECOND_MS, work: () => parts.collector.tick(), log }),
    startTicker({
      name: "giving up halves of captured calls",
      everyMs: 10 * SECOND_MS,
      work: () => parts.capture.tick(),
      log,
    }),
    startTicker({ name: "checking windows", everyMs: checkEveryMs, work: checkNow, log }),
    startTicker({ name: "delivering", everyMs: SECOND_MS, work: deliver, turns: "overlapping", log }),
    startTicker({
      name: "counting undelivered messages",
      everyMs: 5 * SECOND_MS,
      work: () => showUndelivered(parts),
      log,
    }),
    startTicker({
      name: "retention",
      everyMs: RETENTION_EVERY_MS,
      first: "at-once",
      work: () => retain(parts, config, log, stop),
      log,
    }),
    startTicker({
      name: "looking after deployments",
      everyMs: 2 * SECOND_MS,
      first: "at-once",
      work: () => parts.deployments.tick(),
      log,
    }),
    startTicker({
      name: "forgetting exports",
      everyMs: 60 * SECOND_MS,
      work: () => parts.exports.tick(),
      log,
    }),
    startTicker({
      name: "counting labels",
      everyMs: LABELS_EVERY_MS,
      first: "at-once",
      work: () => showLabels(parts),
      log,
    }),
  ];
}

async function retain(parts: Parts, config: Config, log: Log, stop: AbortSignal): Promise<void> {
  const { records, labels, failed, size } = await applyRetention(parts, config, stop);
  for (const { model, error } of failed) {
    log.warn({ err: error, model }, "old records of a model could not be deleted");
  }
  if (records + labels > 0) log.info({ records, labels }, "old records and labels were deleted");
  if (size === "too-small") {
    log.warn(
      { retention_size: config.retention_size },
      "the database is larger than retention_size though nothing but the current day is left: raise it",
    );
  }
}

async function checkWindows(parts: Parts, log: Log): Promise<SchedulerReport> {
  const report = await checkDueWindows(parts);
  for (const { monitor, error } of report.failed) {
    log.warn({ err: error, model: monitor.model, monitor: monitor.name }, "a monitor could not be checked");
  }
  if (report.checked > 0) {
    log.info({ windows: report.checked }, "checked");
    await parts.alerts.showFiring();
    await showLabels(parts);
  }
  return report;
}

/** Calls wait for the one before, so that no window is checked by two at once. */
function inTurn<T>(work: () => Promise<T>): () => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return () => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}
