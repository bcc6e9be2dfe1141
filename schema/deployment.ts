import { z } from "zod";
import { modelSample, tagMap, versionReference } from "./model-version.ts";
import { resourceName } from "./names.ts";
import { modelSignature } from "./signature.ts";

const share = z.number().gt(0).max(1);

/** When and how what was scored goes to the collector. */
const capturing = {
  sample: share.default(1),
  batch_ms: z
    .int()
    .min(10)
    .max(60_000)
    .default(1_000)
    .meta({ description: "Longest that a record waits for others to be sent with" }),
  time: z.enum(["call", "ce-time"]).default("call").meta({
    description:
      "What a record's time is: that of the call, or of its header ce-time where it has one, for calls about the past",
  }),
} as const;

/** What one request, and all that are under way, may ask of a replica. */
export const scoringLimits = z
  .strictObject({
    max_body_bytes: z.int().min(1024).max(1_073_741_824).default(16_777_216),
    max_rows: z
      .int()
      .min(1)
      .max(10_000_000)
      .default(100_000)
      .meta({ description: "Instances in one request" }),
    timeout_ms: z
      .int()
      .min(1)
      .max(3_600_000)
      .default(30_000)
      .meta({ description: "Longest that scoring may take" }),
    max_wait_ms: z.int().min(1).max(3_600_000).default(5_000).meta({
      description: "A request that would wait longer for its turn is answered with 503 at once",
    }),
    max_in_flight: z.int().min(1).max(100_000).default(1_024).meta({ description: "Requests per replica" }),
  })
  .meta({ id: "ScoringLimits" });
export type ScoringLimits = z.infer<typeof scoringLimits>;

/** Between how many replicas a deployment is scaled, and by which load. */
export const replicaScaling = z
  .strictObject({
    min: z.int().min(1).max(64),
    max: z.int().min(1).max(64),
    utilisation: z.number().min(0.05).max(0.95).default(0.6).meta({
      description: "Share of the time that replicas are to be busy",
    }),
  })
  .refine(({ min, max }) => min <= max, "min is more than max")
  .meta({ id: "ReplicaScaling" });
export type ReplicaScaling = z.infer<typeof replicaScaling>;

const SHA256 = /^sha256:[0-9a-f]{64}$/;

const scoringKey = z
  .strictObject({
    name: resourceName,
    key: z.string().min(20, "expected at least 20 characters").max(512).optional(),
    hash: z
      .string()
      .regex(SHA256, "expected sha256: and the 64 hexadecimal digits of the key's SHA-256")
      .optional(),
  })
  .refine(({ key, hash }) => (key === undefined) !== (hash === undefined), "expected either key or hash");

const weights = z
  .array(z.strictObject({ version: versionReference, weight: z.number().min(0).max(100) }))
  .min(1)
  .max(16)
  .refine(
    (versions) => Math.abs(versions.reduce((sum, { weight }) => sum + weight, 0) - 100) < 1e-6,
    "the weights are percent and have to add up to 100",
  );

/** What a canary may cost before it is taken back: it is compared with the version that has the largest weight. */
export const canaryGuard = z
  .strictObject({
    action: z.enum(["roll-back", "none"]).default("roll-back"),
    error_margin: share
      .default(0.05)
      .meta({ description: "Errors beyond those of the stable version that are too many, as a share" }),
    slow_margin: share.default(0.2).meta({
      description:
        "Share of the calls, beyond one in twenty, that may take longer than nineteen in twenty of the stable version's",
    }),
    false_alarms: z
      .number()
      .gt(0)
      .max(0.5)
      .default(0.01)
      .meta({ description: "Chance that a canary as good as the stable version is taken back" }),
  })
  .meta({ id: "CanaryGuard" });
export type CanaryGuard = z.infer<typeof canaryGuard>;

const file = z.string().min(1).max(4096);

/** Files in PEM on the machine of the replicas, which read them when they start. */
export const servingTls = z
  .strictObject({
    cert_file: file.meta({ description: "The certificate, with those that lead from it to its root" }),
    key_file: file,
    client_ca_file: file.optional().meta({
      description:
        "Callers must have a certificate that one of these has signed; none is asked for when absent",
    }),
  })
  .meta({ id: "ServingTls" });
export type ServingTls = z.infer<typeof servingTls>;

/** Instances of several requests in one run of the model. */
export const microBatching = z
  .strictObject({
    max_rows: z.int().min(2).max(100_000).default(32).meta({ description: "Instances in one run" }),
    max_delay_ms: z.number().min(0).max(1_000).default(0).meta({
      description: "Longest that a request waits for others; 0: only for those that came at the same moment",
    }),
  })
  .meta({ id: "MicroBatching" });
export type MicroBatching = z.infer<typeof microBatching>;

const common = {
  model: resourceName,
  host: z.string().min(1).max(255).default("127.0.0.1").meta({ description: "Address to score at" }),
  port: z
    .int()
    .min(1)
    .max(65_535)
    .optional()
    .meta({ description: "The first that is free from 8430 on when absent" }),
  replicas: z
    .union([z.int().min(1).max(64), z.literal("auto")])
    .default(1)
    .meta({ description: "Processes; auto is as many as the load asks for" }),
  scaling: z
    .strictObject({
      min: z.int().min(1).max(64).default(1),
      max: z.int().min(1).max(64).optional(),
      utilisation: replicaScaling.shape.utilisation,
    })
    .refine(({ min, max }) => max === undefined || min <= max, "min is more than max")
    .optional()
    .meta({
      description:
        "With replicas auto: the fewest, the most (one per processor that this server may use when absent), and the share of the time that they are to be busy",
    }),
  tags: tagMap.default({}).meta({ description: "Short texts by key, to find the deployment by" }),
  limits: scoringLimits.prefault({}),
  guard: canaryGuard.prefault({}),
  tls: servingTls.optional(),
  module: z
    .string()
    .regex(/^[^\\]+\.mjs$/, "expected the path of a file of the version that ends in .mjs")
    .max(1024)
    .optional()
    .meta({
      description:
        "A file of each version whose preprocess(rows) and postprocess(predictions, rows) run before and after the model, with all rights of the replica: nothing of the kind runs when absent",
    }),
  micro_batching: microBatching.optional().meta({ description: "Each request is run by itself when absent" }),
  capture: z
    .strictObject({ enabled: z.boolean().default(true), ...capturing })
    .prefault({})
    .meta({ description: "Whether scored instances are sent to the collector, and which share" }),
};

/** What is asked for. */
export const deploymentSpec = z
  .strictObject({
    ...common,
    versions: weights.meta({ description: "Versions and their share of the calls in percent" }),
    shadow: z
      .strictObject({ version: versionReference, fraction: share.default(1) })
      .optional()
      .meta({
        description:
          "A version that scores a fraction of the calls too and whose answers are only compared and stored",
      }),
    auth: z
      .strictObject({ keys: z.array(scoringKey).min(1).max(100) })
      .optional()
      .meta({ description: "Keys that callers must have; anybody may call when absent" }),
  })
  .meta({ id: "DeploymentSpec" });
export type DeploymentSpec = z.infer<typeof deploymentSpec>;

/** A version as a replica loads it: a file, and what is known of it. */
export const plannedVersion = z.strictObject({
  version: z.string(),
  weight: z.number().min(0).max(100),
  model_file: z.string(),
  sha256: z.string().optional(),
  signature: modelSignature,
  sample: modelSample.optional(),
  module: z
    .strictObject({ file: z.string().endsWith(".mjs"), sha256: z.string().optional() })
    .optional()
    .meta({ description: "Code that runs before and after the model" }),
});
export type PlannedVersion = z.infer<typeof plannedVersion>;

/** What a replica serves. A plan has a number and never changes; a change is a new plan. */
export const replicaPlan = z.strictObject({
  deployment: resourceName,
  number: z.int().min(1),
  model: resourceName,
  versions: z.array(plannedVersion).min(1),
  shadow: z.strictObject({ version: plannedVersion, fraction: share }).optional(),
  replicas: z.int().min(1).default(1),
  scaling: replicaScaling.optional(),
  threads: z
    .int()
    .min(1)
    .optional()
    .meta({ description: "Threads for one run; from what the process may use when absent" }),
  limits: scoringLimits.prefault({}),
  guard: canaryGuard.prefault({}),
  tls: servingTls.optional(),
  micro_batching: microBatching.optional(),
  auth: z.strictObject({ key_hashes: z.array(z.string().regex(SHA256)).min(1) }).optional(),
  capture: z
    .strictObject({
      collector: z.url(),
      ...capturing,
      api_key_file: z.string().optional(),
      spool_dir: z.string().optional().meta({
        description: "Where records wait while the collector takes none; they are dropped without it",
      }),
    })
    .optional(),
});
export type ReplicaPlan = z.infer<typeof replicaPlan>;

export const planKind = z.enum(["start", "change", "promotion", "rollback", "automatic-rollback", "restart"]);
export type PlanKind = z.infer<typeof planKind>;

/** A plan of a deployment's history. */
export const deploymentPlan = z
  .strictObject({
    number: z.int(),
    kind: planKind,
    why: z.string().nullable(),
    created_at: z.string(),
    outcome: z.enum(["pending", "live", "replaced", "failed"]),
    error: z.string().nullable(),
    versions: z.array(z.strictObject({ version: z.string(), weight: z.number() })),
    shadow: z.strictObject({ version: z.string(), fraction: z.number() }).nullable(),
    replicas: z.int(),
    rolled_back_to: z.int().nullable().meta({ description: "Number of the plan that this one repeats" }),
  })
  .meta({ id: "DeploymentPlan" });
export type DeploymentPlan = z.infer<typeof deploymentPlan>;

const replicaStatus = z.strictObject({
  slot: z.int(),
  pid: z.int(),
  in_flight: z.int(),
  resident_bytes: z.int(),
  threads: z.int(),
  utilisation: z.number().nullable().meta({ description: "Share of the last second in which it was busy" }),
});

const versionTraffic = z.strictObject({
  version: z.string(),
  weight: z.number().meta({ description: "Percent of the calls that it gets now" }),
  requests: z.int().meta({ description: "Answered since the deployment was started" }),
  failures: z.int(),
  rows: z.int(),
  p50_ms: z.number().nullable().meta({ description: "At most; from a histogram" }),
  p99_ms: z.number().nullable(),
  inference: z
    .string()
    .nullable()
    .meta({ description: "Where its model runs, as it was measured when it was loaded" }),
});

export const deploymentStatus = z
  .strictObject({
    name: z.string(),
    model: z.string(),
    created_at: z.string(),
    updated_at: z.string(),
    spec: z.record(z.string(), z.unknown()).meta({ description: "As it was asked for; keys are hashes" }),
    status: z.strictObject({
      state: z.enum(["running", "degraded", "down", "stopped"]),
      url: z.string().meta({ description: "Where to score" }),
      plan: z.int().nullable(),
      replicas: z.int(),
      replicas_wanted: z.int(),
      scaling: z
        .strictObject({
          min: z.int(),
          max: z.int(),
          utilisation_target: z.number(),
          utilisation: z
            .number()
            .nullable()
            .meta({ description: "Share of the time that they are busy now" }),
          reason: z.string().meta({ description: "Of the last look at the load" }),
          last_change: z
            .strictObject({ at: z.string(), from: z.int(), to: z.int(), reason: z.string() })
            .nullable(),
        })
        .nullable()
        .meta({ description: "With replicas auto" }),
      restarts: z.int(),
      last_failure: z.string().nullable(),
      versions: z.array(versionTraffic),
      shadow: z.record(z.string(), z.unknown()).nullable(),
      capture: z.record(z.string(), z.unknown()).nullable(),
      processes: z.array(replicaStatus),
    }),
    plans: z.array(deploymentPlan).meta({ description: "The last twenty, newest first" }),
  })
  .meta({ id: "Deployment" });
export type DeploymentStatus = z.infer<typeof deploymentStatus>;
