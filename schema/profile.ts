import { z } from "zod";

const count = z.int().min(0);
const bytes = z.number().min(0);
const interval = z.tuple([z.number(), z.number().nullable()]);

/** What a latency objective says: this percentile of the answers within this time. */
export const latencyObjective = z
  .object({ percentile: z.number().gt(0).lt(100), latency_ms: z.number().gt(0) })
  .meta({ id: "LatencyObjective", examples: [{ percentile: 99, latency_ms: 50 }] });
export type LatencyObjective = z.infer<typeof latencyObjective>;

/**
 * An objective as users write it: `p99=50ms`, `p99.9=1s`.
 *
 * @example
 * latencyObjectiveText.parse("p99=50ms"); // { percentile: 99, latency_ms: 50 }
 */
export const latencyObjectiveText = z.string().transform((text, context): LatencyObjective => {
  const match = /^p(\d{1,2}(?:\.\d+)?)=(\d+(?:\.\d+)?)(ms|s)$/.exec(text);
  const parsed = latencyObjective.safeParse({
    percentile: Number(match?.[1]),
    latency_ms: Number(match?.[2]) * (match?.[3] === "s" ? 1_000 : 1),
  });
  if (parsed.success) return parsed.data;
  context.addIssue({ code: "custom", message: "expected a percentile and a time, such as p99=50ms" });
  return z.NEVER;
});

/** What a window of load was for. */
const profilePhases = [
  "saturation",
  "ladder",
  "allocation",
  "verification",
  "headroom",
  "one-step-below",
  "max-rate",
  "soak",
  "body-size",
  "compare",
] as const;

/** One window of load and what the service did in it. */
export const profileWindow = z
  .object({
    phase: z.enum(profilePhases),
    started_s: z.number().meta({ description: "Seconds from the start of the profile" }),
    seconds: z.number(),
    load: z
      .enum(["open", "closed"])
      .meta({ description: "open: sent at intended times whatever is answered" }),
    rate: z
      .number()
      .nullable()
      .meta({ description: "Requests per second asked for; null for a closed loop" }),
    concurrency: count.nullable(),
    body_bytes: count.optional().meta({ description: "When only bodies of this size were sent" }),
    cpu_limit: z.number().nullable(),
    memory_limit_bytes: bytes.nullable(),
    requests: count,
    ok: count,
    failed: count,
    timed_out: count,
    outcomes: z.record(z.string(), count),
    achieved_rate: z.number().meta({ description: "Good answers per second" }),
    latency_ms: z
      .object({
        mean: z.number(),
        p50: z.number(),
        p90: z.number(),
        p95: z.number(),
        p99: z.number(),
        p999: z.number(),
        max: z.number(),
      })
      .meta({ description: "From the time a request was meant to be sent to its answer" }),
    objective_ms: z.number().meta({ description: "Latency at the percentile of the objective" }),
    objective_interval_ms: interval.meta({
      description: "95 % interval of it; null: too few requests to bound it",
    }),
    service_p50_ms: z.number().meta({ description: "From sending to the answer" }),
    lateness_p99_ms: z.number().meta({ description: "How late the generator itself was" }),
    most_in_flight: count,
    cpu_cores: z.number().nullable().meta({ description: "CPU time per second that the service used" }),
    other_cores: z.number().nullable().meta({ description: "CPU time per second that strangers used" }),
    throttled_share: z.number().nullable().meta({ description: "Periods in which the CPU limit stopped it" }),
    held_peak_bytes: bytes.nullable(),
    file_bytes: bytes.nullable(),
    threads: count.nullable(),
    file_descriptors: count.nullable(),
    processes: count.nullable(),
    verdict: z.enum(["meets", "misses", "disturbed", "not-judged"]),
    why: z.string(),
    histogram: z.string().meta({ description: "HdrHistogram V2, compressed, base64; microseconds" }),
  })
  .meta({ id: "ProfileWindow" });
export type ProfileWindow = z.infer<typeof profileWindow>;
export type ProfilePhase = ProfileWindow["phase"];

const profileTarget = z
  .object({
    kind: z.enum(["command", "url", "model"]),
    command: z.string().optional(),
    url: z.string().optional(),
    model: z.string().optional(),
    version: z.string().optional(),
    port: z.int().optional(),
    ready: z.string().optional(),
    method: z.string(),
    path: z.string(),
    payloads: z.object({ source: z.string(), count: count, median_bytes: count, largest_bytes: count }),
  })
  .meta({ id: "ProfileTarget" });

export const profileRecommendation = z
  .object({
    cpu: z.number().nullable().meta({ description: "Cores of each replica" }),
    cpu_request: z.number().nullable(),
    memory_bytes: bytes.nullable().meta({ description: "Memory of each replica, as request and as limit" }),
    replicas: z.int().nullable(),
    threads: z.int().nullable(),
    batch_size: z.int().nullable().meta({
      description:
        "Instances of several requests in one run (micro-batching); 1: each by itself; null: not tried",
    }),
    rate_per_replica: z.number().nullable(),
  })
  .meta({ id: "ProfileRecommendation" });
export type ProfileRecommendation = z.infer<typeof profileRecommendation>;

/** A split of the machine's cores into threads and replicas, tried out. */
export const threadTrial = z
  .object({
    threads: count,
    replicas: count,
    batch_size: count.meta({ description: "Instances of several requests in one run; 1: each by itself" }),
    max_rate: z.number().meta({ description: "Good answers per second of all replicas together" }),
    p50_ms: z.number().meta({ description: "With a single caller" }),
    cpu_ms_per_request: z.number().nullable(),
  })
  .meta({ id: "ThreadTrial" });
export type ThreadTrial = z.infer<typeof threadTrial>;

/** `disturbed`: it missed while the machine was too busy with other things to blame the service. */
const verifiedVerdict = z.enum(["holds", "fails", "disturbed", "not-run"]);
const verifiedRun = z.object({ verdict: verifiedVerdict, why: z.string() });

/** Field names of Azure ML's profiler, for those who come from there. */
const azureNames = {
  name: z.string(),
  description: z.string(),
  state: z.enum(["Succeeded", "Failed", "TimedOut", "Cancelled"]),
  createdTime: z.string(),
  requestedCpu: z.number().nullable(),
  requestedMemoryInGB: z.number().nullable(),
  requestedQueriesPerSecond: z.number(),
  maxUtilizedCpu: z.number().nullable(),
  maxUtilizedMemoryInGB: z.number().nullable(),
  totalQueries: count,
  successQueries: count,
  successRate: z.number().meta({ description: "Percent" }),
  averageLatencyInMs: z.number().nullable(),
  latencyPercentile50InMs: z.number().nullable(),
  latencyPercentile90InMs: z.number().nullable(),
  latencyPercentile95InMs: z.number().nullable(),
  latencyPercentile99InMs: z.number().nullable(),
  latencyPercentile999InMs: z.number().nullable(),
  measuredQueriesPerSecond: z.number().nullable(),
  recommendedCpu: z.number().nullable(),
  recommendedMemoryInGB: z.number().nullable(),
};

/** Everything a profile found. */
export const profile = z
  .object({
    id: z.string().max(64),
    created_at: z.string(),
    elapsed_s: z.number(),
    mode: z.enum(["full", "quick"]),
    leeway_version: z.string(),
    target: profileTarget,
    asked: z.object({
      rate: z.number(),
      objective: latencyObjective,
      error_budget: z.number(),
      arrivals: z.enum(["poisson", "constant"]),
      seed: z.int(),
    }),
    machine: z.object({
      cores: count,
      cpu_model: z.string(),
      memory_bytes: bytes,
      limiter: z.string(),
      passed_over: z.array(z.object({ kind: z.string(), why: z.string() })),
      meter: z.string(),
    }),
    recommendation: profileRecommendation,
    grade: z.enum(["A", "B", "C"]).meta({
      description: "A: verified on a quiet machine. B: something was relaxed. C: take it as a first guess",
    }),
    reasons: z.array(z.string()),
    verified: z.object({
      verdict: verifiedVerdict,
      at_target: verifiedRun,
      at_headroom: verifiedRun.meta({ description: "At 1.2 times the target" }),
      one_step_below: verifiedRun.extend({ cpu: z.number().nullable() }),
    }),
    max_rate_at_objective: z.number().nullable().meta({ description: "Of one replica as recommended" }),
    latency_ms: z
      .record(z.string(), z.object({ value: z.number(), interval }))
      .meta({ description: "Percentiles in the verifying window, with their 95 % intervals" }),
    start: z.object({
      ready_ms: z.number().nullable().meta({ description: "With all cores" }),
      warm_up_s: z.number(),
      cpu_s: z.number().nullable().optional().meta({ description: "CPU time until it was ready" }),
      limited_ready_ms: z
        .number()
        .nullable()
        .optional()
        .meta({ description: "Until it was ready under the recommended limits" }),
      limited: z.enum(["tried", "calculated", "not-limited"]).optional(),
      raised_from: z
        .number()
        .nullable()
        .optional()
        .meta({ description: "CPU that the load alone asks for, when the start asks for more" }),
    }),
    cpu_model: z
      .object({
        idle_cores: z.number(),
        cpu_ms_per_request: z.number(),
        interval_ms: interval,
        r_squared: z.number(),
        points: z.array(z.object({ rate: z.number(), cores: z.number() })),
      })
      .nullable(),
    thread_trials: z.array(threadTrial).optional(),
    saturation: z
      .object({
        max_rate: z.number(),
        contention: z.number().nullable(),
        coherency: z.number().nullable(),
        peak_concurrency: z.number().nullable(),
        r_squared: z.number().nullable(),
        points: z.array(
          z.object({ concurrency: count, rate: z.number(), p50_ms: z.number(), p99_ms: z.number() }),
        ),
      })
      .nullable(),
    memory: z
      .object({
        after_start_bytes: bytes,
        peak_bytes: bytes,
        file_bytes: bytes,
        bytes_per_concurrent_request: z.number().nullable(),
        bytes_per_body_byte: z
          .number()
          .nullable()
          .optional()
          .meta({ description: "How much more is held for each byte of a larger body" }),
        soak_s: z.number().optional().meta({ description: "How long it went on for the leak test" }),
        leak: z.object({
          verdict: z.enum(["leak-suspected", "none-seen", "too-short"]),
          bytes_per_request: z.number(),
          hours_to_limit: z.number().nullable(),
        }),
        samples: z.array(z.object({ at_s: z.number(), held_bytes: bytes, file_bytes: bytes })),
      })
      .nullable(),
    cost: z
      .object({
        per_cpu_hour: z.number(),
        per_gib_hour: z.number(),
        per_million_predictions: z.number(),
      })
      .nullable(),
    requests_sent: count,
    windows: z.array(profileWindow),
    kubernetes: z.string().meta({ description: "A `resources` section" }),
    ...azureNames,
  })
  .meta({ id: "Profile" });
export type Profile = z.infer<typeof profile>;

/** A profile in a list. */
export const profileSummary = profile
  .pick({
    id: true,
    name: true,
    created_at: true,
    mode: true,
    target: true,
    grade: true,
    recommendation: true,
  })
  .extend({ verdict: verifiedVerdict })
  .meta({ id: "ProfileSummary" });
export type ProfileSummary = z.infer<typeof profileSummary>;

/** Two services, loaded in turns. */
export const profileComparison = z
  .object({
    a: z.string(),
    b: z.string(),
    rate: z.number(),
    objective: latencyObjective,
    pairs: count,
    limiter: z.string(),
    leeway_version: z.string(),
    figures: z.array(
      z.object({
        name: z.enum(["p50", "objective", "cpu_per_request", "memory", "failed_share"]),
        unit: z.string(),
        a: z.number(),
        b: z.number(),
        difference: z.number().meta({ description: "Mean of b - a over the pairs" }),
        interval: z.tuple([z.number(), z.number()]).meta({ description: "95 % interval of it" }),
        verdict: z.enum(["a-smaller", "b-smaller", "no-difference"]),
      }),
    ),
    windows: z.array(profileWindow.extend({ side: z.enum(["a", "b"]) })),
  })
  .meta({ id: "ProfileComparison" });
export type ProfileComparison = z.infer<typeof profileComparison>;
