import { availableParallelism } from "node:os";
import { join, resolve as resolvePath } from "node:path";
import type { DeploymentSpec, PlannedVersion, ReplicaPlan, ReplicaScaling } from "../schema/deployment.ts";
import { ServiceError } from "../schema/errors.ts";
import type { ResolvedVersion, ResolveModel } from "../schema/model-version.ts";
import { allottedProcessors, threadsFor } from "./replica/allotted-processors.ts";
import { readTls, tlsFrom } from "./replica/tls-files.ts";
import { placeFiles } from "./version-files.ts";

/** How replicas reach the collector. */
export interface CaptureTarget {
  readonly url: string;
  /** Holds the key to send with, where one is needed. */
  readonly apiKeyFile: string | undefined;
}

/**
 * What is asked for as a plan that replicas can serve by: references become versions, versions become files.
 *
 * @returns The plan, and what was asked for with its references resolved.
 * @throws ServiceError `not-found` for a version that is not registered, `invalid-input` for one that cannot be served or
 *   two references to one version.
 */
export async function makePlan(
  spec: DeploymentSpec,
  {
    name,
    number,
    resolve,
    folder,
    capture,
  }: {
    readonly name: string;
    readonly number: number;
    readonly resolve: ResolveModel;
    /** Of the deployment. */
    readonly folder: string;
    readonly capture: CaptureTarget;
  },
): Promise<{ readonly plan: ReplicaPlan; readonly settled: DeploymentSpec }> {
  const { model } = spec;
  const versions: PlannedVersion[] = [];
  for (const { version, weight } of spec.versions)
    versions.push(
      await plannedVersion(await resolve(model, referenceOf(version)), weight, {
        folder,
        module: spec.module,
      }),
    );
  const twice = versions.find(
    ({ version }, at) => versions.findIndex((each) => each.version === version) !== at,
  );
  if (twice)
    throw new ServiceError(
      "invalid-input",
      `two of the references are to version ${twice.version} of ${model}`,
    );
  const shadow = spec.shadow && {
    version: await plannedVersion(await resolve(model, referenceOf(spec.shadow.version)), 0, {
      folder,
      module: undefined, // it gets the rows as the others' modules have made them
    }),
    fraction: spec.shadow.fraction,
  };
  const scaling = spec.replicas === "auto" ? scalingOf(spec) : undefined;
  const replicas = spec.replicas === "auto" ? (scaling?.min ?? 1) : spec.replicas;
  const tls = spec.tls && tlsFrom(spec.tls, ".");
  if (tls) readTls(tls); // else replicas would find out, and say it in their log
  const plan: ReplicaPlan = {
    deployment: name,
    number,
    model,
    versions,
    ...(shadow ? { shadow } : {}),
    replicas,
    ...(scaling ? { scaling } : {}),
    limits: spec.limits,
    guard: spec.guard,
    ...(tls ? { tls } : {}),
    ...(spec.micro_batching ? { micro_batching: spec.micro_batching } : {}),
    ...(spec.auth ? { auth: { key_hashes: spec.auth.keys.map(({ hash }) => hash ?? "") } } : {}),
    ...(spec.capture.enabled
      ? {
          capture: {
            collector: capture.url,
            sample: spec.capture.sample,
            batch_ms: spec.capture.batch_ms,
            time: spec.capture.time,
            spool_dir: resolvePath(folder, "spool"),
            ...(capture.apiKeyFile === undefined ? {} : { api_key_file: capture.apiKeyFile }),
          },
        }
      : {}),
  };
  const settled = {
    ...spec,
    versions: versions.map(({ version, weight }) => ({ version, weight })),
    ...(shadow ? { shadow: { version: shadow.version.version, fraction: shadow.fraction } } : {}),
  };
  return { plan, settled };
}

/** More than one per processor would only share them; `min` may be more all the same. */
function scalingOf({ scaling }: DeploymentSpec): ReplicaScaling {
  const processors = Math.max(1, threadsFor(Math.min(allottedProcessors(), availableParallelism())));
  const { min, max, utilisation } = scaling ?? { min: 1, max: undefined, utilisation: 0.6 };
  return { min, max: Math.max(min, max ?? processors), utilisation };
}

/** `latest` is what there is without a reference. */
function referenceOf(version: string): string | undefined {
  return version === "latest" ? undefined : version;
}

async function plannedVersion(
  found: ResolvedVersion,
  weight: number,
  { folder, module: wanted }: { readonly folder: string; readonly module: string | undefined },
): Promise<PlannedVersion> {
  const { model, version, main_file, files, signature, served_blob_path, served_sha256, sample } = found;
  const main = files.find(({ path }) => path === main_file);
  if (!main || !signature)
    throw new ServiceError(
      "invalid-input",
      `version ${version} of ${model} has no ONNX file that was looked into: only those can be deployed`,
    );
  const served = served_blob_path !== undefined;
  const placed = await placeFiles(found, folder);
  return {
    version,
    weight,
    // Replicas run in another folder than the server, and may be moved with their plan.
    model_file: resolvePath(served ? served_blob_path : placed ? join(placed, main.path) : main.blob_path),
    ...(served ? (served_sha256 === undefined ? {} : { sha256: served_sha256 }) : { sha256: main.sha256 }),
    signature,
    ...(sample ? { sample } : {}),
    ...(wanted === undefined ? {} : { module: moduleOf(found, wanted, placed) }),
  };
}

function moduleOf(
  found: ResolvedVersion,
  wanted: string,
  placed: string | undefined,
): NonNullable<PlannedVersion["module"]> {
  const file = found.files.find(({ path }) => path === wanted);
  if (file && placed !== undefined) return { file: resolvePath(placed, file.path), sha256: file.sha256 };
  throw new ServiceError(
    "invalid-input",
    `version ${found.version} of ${found.model} has no file ${wanted}: register it with the model, or deploy without a module`,
  );
}
