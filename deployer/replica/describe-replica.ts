import type { ModelSignature, TensorSpec } from "../../schema/signature.ts";
import type { VersionCounts } from "./counts.ts";
import type { Scorer } from "./scorer.ts";
import type { ServedVersion } from "./served-version.ts";

/** Extensions of the protocol that are served. */
const EXTENSIONS = ["binary_tensor_data", "model_repository", "statistics"];

export function describeServer(version: string): object {
  return { name: "leeway", version, extensions: EXTENSIONS };
}

/** Model metadata of the V2 protocol; what it has no word for is in `parameters`, which are scalars. */
export function describeModel(scorer: Scorer, version: ServedVersion): object {
  const { signature } = version;
  return {
    name: scorer.plan.model,
    versions: scorer.versions.map((each) => each.version),
    platform: "onnx_onnxv1",
    inputs: signature.inputs.map(described),
    outputs: signature.outputs.map(described),
    ...parametersOf(signature),
  };
}

/** A symbol of a shape is -1 to others. */
function described({ name, datatype, shape }: TensorSpec): object {
  return { name, datatype, shape: shape.map((length) => (typeof length === "number" ? length : -1)) };
}

function parametersOf({ feature_names, class_labels }: ModelSignature): object {
  const parameters = {
    ...(feature_names ? { feature_names: JSON.stringify(feature_names) } : {}),
    ...(class_labels ? { class_labels: JSON.stringify(class_labels) } : {}),
  };
  return Object.keys(parameters).length > 0 ? { parameters } : {};
}

/** Statistics in Triton's form, which perf_analyzer reads. */
export function describeStats(scorer: Scorer, versions: readonly ServedVersion[]): object {
  return {
    model_stats: versions.map(({ version, counts }) => ({
      name: scorer.plan.model,
      version,
      last_inference: Math.trunc(counts.lastScoredMs),
      inference_count: counts.rows,
      execution_count: counts.runs,
      inference_stats: inferenceStats(counts),
      batch_stats: [],
      memory_usage: [],
    })),
  };
}

function inferenceStats(counts: VersionCounts): object {
  const answered = counts.durations.reduce((sum, n) => sum + n, 0);
  const succeeded = answered - counts.failures;
  const duration = (count: number, seconds: number) => ({ count, ns: Math.round(seconds * 1e9) });
  return {
    success: duration(succeeded, counts.durationSeconds),
    fail: duration(counts.failures, 0),
    queue: duration(succeeded, counts.queueSeconds),
    compute_input: duration(succeeded, 0),
    compute_infer: duration(counts.runs, counts.runSeconds),
    compute_output: duration(succeeded, 0),
    cache_hit: duration(0, 0),
    cache_miss: duration(0, 0),
  };
}

export function describeRepository(scorer: Scorer): object {
  return scorer.versions.map(({ version }) => ({
    name: scorer.plan.model,
    version,
    state: "READY",
    reason: "",
  }));
}

/** Both what TensorFlow Serving answers and what KServe does. */
export function describeServing(scorer: Scorer, versions: readonly ServedVersion[]): object {
  return {
    name: scorer.plan.model,
    ready: true,
    model_version_status: versions.map(({ version }) => ({
      version,
      state: "AVAILABLE",
      status: { error_code: "OK", error_message: "" },
    })),
  };
}
