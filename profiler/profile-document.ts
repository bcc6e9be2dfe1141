import type { Profile, ProfileWindow } from "../schema/profile.ts";
import { decideGrade } from "./decide-grade.ts";
import { fitDemand } from "./explore.ts";
import type { Findings, Surroundings } from "./findings.ts";
import { fitContention } from "./fit/contention.ts";
import { leakTest } from "./fit/leak.ts";
import { fitLine } from "./fit/line.ts";
import { hasEnough, isClose } from "./judge-window.ts";
import { kubernetesResources } from "./kubernetes-resources.ts";
import { medianOf } from "./median.ts";
import { percentileInterval, round } from "./window-result.ts";

const GIB = 1024 ** 3;
const PERCENTILES = { p50: 50, p90: 90, p95: 95, p99: 99, p999: 99.9 } as const;

/** Puts what was found into the form that is stored, shown and sent. */
export function profileDocument(
  findings: Findings,
  around: Pick<Surroundings, "machine" | "leewayVersion" | "newId">,
): Profile {
  const { request, stage, atTarget, exploration } = findings;
  const { windows } = stage;
  const demand = fitDemand(exploration.idleCores, exploration.ladder);
  const memory = memoryOf(findings);
  const verified = verifiedOf(findings);
  const recommendation: Profile["recommendation"] = {
    cpu: findings.cpu ?? null,
    cpu_request: findings.cpuRequest ?? null,
    memory_bytes: findings.memoryBytes ?? null,
    replicas: findings.replicas ?? null,
    threads: request.threads ?? null,
    batch_size: findings.split?.batchSize ?? null,
    rate_per_replica: findings.replicas === undefined ? null : round(findings.ratePerReplica),
  };
  const opened = windows.filter(({ load }) => load === "open");
  const { grade, reasons } = decideGrade({
    mode: request.mode,
    targetKind: request.candidate.kind,
    limiter: findings.limiter.kind,
    verified: verified.verdict,
    headroom: verified.at_headroom.verdict,
    below: belowOf(findings),
    replicas: findings.replicas ?? 1,
    enoughRequests: atTarget === undefined || hasEnough(atTarget, request.objective),
    close: atTarget !== undefined && isClose(atTarget, request.objective),
    disturbedWindows: opened.filter(({ verdict }) => verdict === "disturbed").length,
    otherCores: medianOf(opened.flatMap(({ other_cores }) => other_cores ?? [])),
    warmUp: findings.warm.state,
    leak: memory?.leak.verdict ?? "too-short",
    memoryKills: findings.memoryKills,
    rSquared: demand?.rSquared,
    budget: findings.budget,
    start: findings.startUp.underLimits.how,
    startRaisedFrom: findings.startUp.raisedFrom,
  });
  const contention = fitContention(
    exploration.sweep.map(({ concurrency, achieved_rate }) => ({
      concurrency: concurrency ?? 1,
      rate: achieved_rate,
    })),
  );
  const answered = opened.reduce((sum, { ok }) => sum + ok, 0);
  const asked = opened.reduce((sum, { requests }) => sum + requests, 0);
  const createdAt = findings.startedAt.toISOString();
  const shown = atTarget ?? exploration.ladder.at(-1);
  return {
    id: around.newId(),
    created_at: createdAt,
    elapsed_s: round(findings.elapsedSeconds),
    mode: request.mode,
    leeway_version: around.leewayVersion,
    target: targetOf(findings),
    asked: {
      rate: request.rate,
      objective: request.objective,
      error_budget: request.errorBudget,
      arrivals: request.arrivals,
      seed: request.seed,
    },
    machine: {
      cores: around.machine.cores,
      cpu_model: around.machine.cpuModel,
      memory_bytes: around.machine.memoryBytes,
      limiter: findings.limiter.kind,
      passed_over: [...findings.passedOver],
      meter: findings.meterKind,
    },
    recommendation,
    grade,
    reasons: [...reasons],
    verified,
    max_rate_at_objective: findings.maxRate === undefined ? null : round(findings.maxRate),
    latency_ms: shown ? percentiles(shown) : {},
    start: startOf(findings),
    cpu_model: demand
      ? {
          idle_cores: round(exploration.idleCores ?? 0),
          cpu_ms_per_request: round(1_000 * demand.slope),
          interval_ms: [
            round(1_000 * demand.slopeInterval[0]),
            Number.isFinite(demand.slopeInterval[1]) ? round(1_000 * demand.slopeInterval[1]) : null,
          ],
          r_squared: round(demand.rSquared),
          points: exploration.ladder.map(({ achieved_rate, cpu_cores }) => ({
            rate: achieved_rate,
            cores: cpu_cores ?? 0,
          })),
        }
      : null,
    ...(findings.split ? { thread_trials: [...findings.split.trials] } : {}),
    saturation: {
      max_rate: exploration.maxRate,
      contention: contention ? round(contention.contention) : null,
      coherency: contention ? round(contention.coherency) : null,
      peak_concurrency: contention?.peakConcurrency === undefined ? null : round(contention.peakConcurrency),
      r_squared: contention ? round(contention.rSquared) : null,
      points: exploration.sweep.map(({ concurrency, achieved_rate, latency_ms }) => ({
        concurrency: concurrency ?? 1,
        rate: achieved_rate,
        p50_ms: latency_ms.p50,
        p99_ms: latency_ms.p99,
      })),
    },
    memory,
    cost: costOf(findings),
    requests_sent: findings.requestsSent,
    windows: windows.map((window) => ({ ...window })),
    kubernetes: kubernetesResources(recommendation, { grade, rate: request.rate }),
    name: request.name,
    description: `${request.rate} requests per second, p${request.objective.percentile} within ${request.objective.latency_ms} ms`,
    state:
      verified.verdict === "fails"
        ? "Failed"
        : findings.budget === "used-up" && !atTarget
          ? "TimedOut"
          : "Succeeded",
    createdTime: createdAt,
    requestedCpu: findings.cpu ?? null,
    requestedMemoryInGB: inGib(findings.memoryBytes),
    requestedQueriesPerSecond: request.rate,
    maxUtilizedCpu: atTarget?.cpu_cores ?? null,
    maxUtilizedMemoryInGB: inGib(findings.peakBytes),
    totalQueries: asked,
    successQueries: answered,
    successRate: asked === 0 ? 0 : round((100 * answered) / asked),
    averageLatencyInMs: shown?.latency_ms.mean ?? null,
    latencyPercentile50InMs: shown?.latency_ms.p50 ?? null,
    latencyPercentile90InMs: shown?.latency_ms.p90 ?? null,
    latencyPercentile95InMs: shown?.latency_ms.p95 ?? null,
    latencyPercentile99InMs: shown?.latency_ms.p99 ?? null,
    latencyPercentile999InMs: shown?.latency_ms.p999 ?? null,
    measuredQueriesPerSecond: shown?.achieved_rate ?? null,
    recommendedCpu: findings.cpu ?? null,
    recommendedMemoryInGB: inGib(findings.memoryBytes),
  };
}

const OUTCOMES = {
  meets: "holds",
  misses: "fails",
  disturbed: "disturbed",
  "not-judged": "not-run",
} as const;

function verifiedOf({
  atTarget,
  atHeadroom,
  below,
  replicas,
  limiter,
  request,
}: Findings): Profile["verified"] {
  const run = (window: ProfileWindow | undefined) =>
    window
      ? { verdict: OUTCOMES[window.verdict], why: window.why }
      : { verdict: "not-run" as const, why: "" };
  const at_target = run(atTarget);
  const measurable = limiter.cpu === "quota" || request.candidate.kind === "url";
  const verdict =
    replicas === undefined
      ? "fails"
      : at_target.verdict === "holds" && !measurable
        ? "not-run"
        : at_target.verdict === "not-run" && measurable && request.candidate.kind !== "url"
          ? "fails"
          : at_target.verdict;
  return {
    verdict,
    at_target:
      replicas === undefined
        ? {
            verdict: "fails",
            why: "the objective is missed with all the cores of this machine, at every rate that was tried",
          }
        : at_target,
    at_headroom: run(atHeadroom),
    one_step_below: { ...run(below.window), cpu: below.cpu ?? null },
  };
}

function belowOf({ below }: Findings): "meets" | "misses" | "not-run" | "no-smaller" {
  if (below.cpu === undefined) return "no-smaller";
  if (!below.window || below.window.verdict === "disturbed") return "not-run";
  return below.window.verdict === "meets" ? "meets" : "misses";
}

function startOf({ startUp, warm }: Findings): Profile["start"] {
  const { readyMs, cpuSeconds, underLimits, raisedFrom } = startUp;
  const whole = (ms: number | undefined) => (ms === undefined ? null : Math.round(ms));
  return {
    ready_ms: whole(readyMs),
    warm_up_s: round(warm.seconds),
    cpu_s: cpuSeconds === undefined ? null : round(cpuSeconds),
    limited_ready_ms: whole(underLimits.readyMs),
    limited: underLimits.how,
    raised_from: raisedFrom ?? null,
  };
}

function memoryOf(findings: Findings): Profile["memory"] {
  const { stage, peakBytes, afterStartBytes, exploration, ratePerReplica, memoryBytes } = findings;
  if (peakBytes === undefined) return null;
  const longest = longestLife(stage.samples);
  const leak = leakTest(longest.map(({ requests, held_bytes }) => ({ requests, heldBytes: held_bytes })));
  const room = (memoryBytes ?? peakBytes) - peakBytes;
  const hours =
    leak.verdict === "leak-suspected" ? room / leak.bytesPerRequest / ratePerReplica / 3_600 : undefined;
  const points = exploration.sweep.flatMap(({ concurrency, held_peak_bytes }) =>
    held_peak_bytes === null || concurrency === null ? [] : [{ x: concurrency, y: held_peak_bytes }],
  );
  const bodies = stage.windows.flatMap(({ body_bytes, held_peak_bytes }) =>
    body_bytes === undefined || held_peak_bytes === null ? [] : [{ x: body_bytes, y: held_peak_bytes }],
  );
  return {
    after_start_bytes: afterStartBytes ?? 0,
    peak_bytes: peakBytes,
    file_bytes: Math.max(0, ...stage.windows.map(({ file_bytes }) => file_bytes ?? 0)),
    bytes_per_concurrent_request: points.length >= 3 ? Math.round(fitLine(points).slope) : null,
    bytes_per_body_byte: bodies.length >= 2 ? round(Math.max(0, fitLine(bodies).slope)) : null,
    soak_s: Math.round(findings.soakSeconds),
    leak: {
      verdict: leak.verdict,
      bytes_per_request: round(leak.bytesPerRequest),
      hours_to_limit: hours === undefined ? null : round(hours),
    },
    samples: thinned(stage.samples).map(({ at_s, held_bytes, file_bytes }) => ({
      at_s: round(at_s),
      held_bytes,
      file_bytes,
    })),
  };
}

/** The samples of the process that was sent most. */
function longestLife<T extends { readonly life: number; readonly requests: number }>(
  samples: readonly T[],
): T[] {
  const most = samples.reduce<T | undefined>(
    (best, one) => (one.requests > (best?.requests ?? -1) ? one : best),
    undefined,
  );
  return samples.filter(({ life }) => life === most?.life);
}

const MOST_SAMPLES = 600;
function thinned<T>(samples: readonly T[]): T[] {
  const step = Math.max(1, Math.ceil(samples.length / MOST_SAMPLES));
  return samples.filter((_, i) => i % step === 0);
}

function percentiles(window: ProfileWindow): Profile["latency_ms"] {
  return Object.fromEntries(
    Object.entries(PERCENTILES).map(([name, percentile]) => [
      name,
      {
        value: window.latency_ms[name as keyof typeof PERCENTILES],
        interval: percentileInterval(window.histogram, percentile),
      },
    ]),
  );
}

function costOf({ request, cpu, memoryBytes, replicas }: Findings): Profile["cost"] {
  if (!request.prices || cpu === undefined || memoryBytes === undefined || replicas === undefined)
    return null;
  const { perCpuHour, perGibHour } = request.prices;
  const perHour = replicas * (cpu * perCpuHour + (memoryBytes / GIB) * perGibHour);
  return {
    per_cpu_hour: perCpuHour,
    per_gib_hour: perGibHour,
    per_million_predictions: Number(((perHour / 3_600 / request.rate) * 1e6).toPrecision(4)),
  };
}

function targetOf({ request }: Findings): Profile["target"] {
  const { candidate, load, payloadSource } = request;
  const sizes = load.payloads.map(({ length }) => length).sort((a, b) => a - b);
  return {
    kind: request.threads === undefined ? candidate.kind : "model",
    ...(request.threads === undefined ? {} : { model: request.name }),
    ...request.of,
    ...(candidate.kind === "url" ? { url: candidate.origin } : { command: candidate.command }),
    ...(candidate.kind === "command" && candidate.port !== undefined ? { port: candidate.port } : {}),
    ...(candidate.kind === "command" && candidate.ready !== undefined ? { ready: candidate.ready } : {}),
    method: load.method,
    path: load.path,
    payloads: {
      source: payloadSource,
      count: sizes.length,
      median_bytes: sizes[Math.floor(sizes.length / 2)] ?? 0,
      largest_bytes: sizes.at(-1) ?? 0,
    },
  };
}

function inGib(bytes: number | undefined): number | null {
  return bytes === undefined ? null : Number((bytes / GIB).toPrecision(4));
}
