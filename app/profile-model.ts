import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { modelInspector } from "../deployer/inspect-model.ts";
import { programArguments } from "../deployer/own-program.ts";
import { generatedPayloads } from "../profiler/generated-payloads.ts";
import { replicaPlan } from "../schema/deployment.ts";
import { ServiceError } from "../schema/errors.ts";
import type { ModelSample, ModelVersion } from "../schema/model-version.ts";
import type { ModelSignature } from "../schema/signature.ts";
import type { ApiClient } from "./api-client.ts";
import { fetchModel } from "./fetch-model.ts";
import { parseModelReference } from "./model-reference.ts";
import { type VersionJob, versionJob } from "./version-job.ts";

const GENERATED = 50;

/** A registered model, or a model file, as something that can be started and loaded. */
export interface ProfiledModel {
  readonly name: string;
  readonly of: { readonly model: string; readonly version: string } | undefined;
  /** Ways to start a replica that serves it on `$PORT`, by its threads: one, or several to be tried. */
  readonly commands: readonly {
    readonly threads: number;
    /** Instances of several requests in one run; 1: each request by itself. */
    readonly batchSize: number;
    readonly command: string;
  }[];
  readonly ready: string;
  /** Where it scores. */
  readonly path: string;
  readonly payloads: readonly Uint8Array[];
  readonly payloadSource: string;
  /** Takes away the files it was served from; its version may be deleted again. */
  remove(): Promise<void>;
}

/**
 * Makes ready what `leeway deploy` would serve: the file is looked at as it is when it is registered, and a replica serves
 * it. Bodies come from its sample, or are made up by its signature.
 *
 * @param text - An ONNX file, or NAME, NAME:VERSION, NAME@ALIAS of a server.
 * @throws ServiceError `not-found`, or `invalid-input` for a model that cannot be served.
 */
export async function profiledModel(
  text: string,
  {
    client,
    threads,
    batchSizes,
    seed,
    signal,
  }: {
    readonly client: () => ApiClient;
    /** Threads of one run that are tried. */
    readonly threads: readonly number[];
    /** Instances of several requests in one run that are tried; 1 alone: each request by itself. */
    readonly batchSizes: readonly number[];
    readonly seed: number;
    readonly signal: AbortSignal;
  },
): Promise<ProfiledModel> {
  const folder = mkdtempSync(join(tmpdir(), "leeway-profile-"));
  const job = versionJob("profile run");
  const remove = async () => {
    rmSync(folder, { recursive: true, force: true });
    await job.end();
  };
  try {
    const found =
      text.endsWith(".onnx") && existsSync(text)
        ? ofFile(text)
        : await ofServer(text, { client: client(), folder, job });
    const inspection = await modelInspector(folder)(found.file, { signal });
    signal.throwIfAborted();
    if (inspection.verdict === "refused")
      throw new ServiceError("invalid-input", `${text}: ${inspection.reason}`);
    const commandFor = (count: number, batchSize: number) => {
      const planFile = writePlan(folder, { ...found, ...inspection, threads: count, batchSize });
      const program = programArguments(import.meta.url, "./cli");
      const words = [process.execPath, ...program, "replica", "--plan", planFile];
      return { threads: count, batchSize, command: `${words.map(quoted).join(" ")} --port {port}` };
    };
    return {
      name: found.of === undefined ? basename(text) : text,
      of: found.of,
      commands: threads.flatMap((count) =>
        batchSizes
          .filter((batchSize) => batchSize === 1 || hasOpenBatch(inspection.signature))
          .map((batchSize) => commandFor(count, batchSize)),
      ),
      ready: "/v2/health/ready",
      path: `/v2/models/${found.model}/infer`,
      payloads: generatedPayloads(inspection.signature, { count: GENERATED, seed, sample: found.sample }),
      payloadSource: found.sample ? "the model's sample" : "made up by the signature",
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

interface Found {
  readonly model: string;
  readonly version: string;
  readonly of: ProfiledModel["of"];
  readonly file: string;
  readonly sample: ModelSample | undefined;
}

function ofFile(path: string): Found {
  const model =
    basename(path, ".onnx")
      .replaceAll(/[^A-Za-z0-9._-]/g, "-")
      .replace(/^[^A-Za-z0-9]+/, "") || "model";
  return { model, version: "1", of: undefined, file: resolve(path), sample: undefined };
}

async function ofServer(
  text: string,
  { client, folder, job }: { readonly client: ApiClient; readonly folder: string; readonly job: VersionJob },
): Promise<Found> {
  const { model, reference } = parseModelReference(text);
  const where = `/v1/models/${encodeURIComponent(model)}/versions/${encodeURIComponent(reference ?? "latest")}`;
  const version = await client.json<ModelVersion>({ path: where });
  if (version.main_file === null || version.signature === null) {
    throw new ServiceError(
      "invalid-input",
      `version ${version.version} of ${model} has no ONNX file that was looked into: start it yourself with --command`,
    );
  }
  await job.begin(client, { model, version: version.version });
  await fetchModel(client, { version, files: version.files, folder, onProgress: () => undefined });
  return {
    model,
    version: version.version,
    of: { model, version: version.version },
    file: join(folder, version.main_file),
    sample: version.sample ?? undefined,
  };
}

/** Whether instances of several requests can go in one run: the first dimension of all tensors is open. */
function hasOpenBatch({ inputs, outputs }: ModelSignature): boolean {
  return [...inputs, ...outputs].every(({ shape: [first] }) => typeof first === "string" || first === -1);
}

function writePlan(
  folder: string,
  {
    model,
    version,
    file,
    signature,
    served_file,
    threads,
    batchSize,
  }: Found & {
    readonly signature: ModelSignature;
    readonly served_file?: string | undefined;
    readonly threads: number;
    readonly batchSize: number;
  },
): string {
  const plan = replicaPlan.parse({
    deployment: "profile",
    number: 1,
    model,
    versions: [{ version, weight: 100, model_file: served_file ?? file, signature }],
    replicas: 1,
    threads,
    ...(batchSize > 1 ? { micro_batching: { max_rows: batchSize } } : {}),
  });
  const path = join(folder, `plan-${threads}-${batchSize}.json`);
  writeFileSync(path, JSON.stringify(plan));
  return path;
}

/** A word for the shell. */
function quoted(word: string): string {
  return /^[\w./:@=-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
