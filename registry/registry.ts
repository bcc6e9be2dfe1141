import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { emit } from "../events/events.ts";
import { ServiceError } from "../schema/errors.ts";
import type {
  ModelFile,
  ModelSample,
  ModelSummary,
  ModelVersion,
  Registration,
  ResolvedVersion,
  TagMap,
} from "../schema/model-version.ts";
import type { InspectModel } from "../schema/signature.ts";
import type { Database, Transaction } from "../store/database.ts";
import type { Condition } from "../store/model-conditions.ts";
import {
  type ModelOrder,
  ModelRegistryStore,
  type NewVersion,
  type VersionOrder,
} from "../store/model-registry.ts";
import type { StoredVersion } from "../store/model-rows.ts";
import { Aliases, noVersion } from "./aliases.ts";
import { BlobStore, type Held } from "./blob-store.ts";
import { whoOf } from "./caller.ts";
import { checkFilesNamed, refinedSignature } from "./check-registration.ts";
import { FeatureNames } from "./feature-names.ts";
import { type Findings, inspectFiles, mainFileOf } from "./inspect-files.ts";
import { type FormField, type ReceivedFile, receiveUpload, type UploadLimits } from "./receive-upload.ts";
import { type IsInUse, Removal } from "./removal.ts";
import { VersionJobs } from "./version-jobs.ts";

export interface RegistryOptions {
  readonly database: Database;
  /** The registry's own folder. */
  readonly folder: string;
  /** Folder for files under way, on the same file system. */
  readonly scratchDir: string;
  readonly limits: UploadLimits;
  readonly now: () => Date;
  /** Looks into files whose names end in `.onnx`; without it they are taken as they are. */
  readonly inspectModel?: InspectModel | undefined;
}

/** What is changed of a model or a version: a tag that is null is taken away. */
export interface Patch {
  readonly description?: string | undefined;
  readonly tags?: Readonly<Record<string, string | null>> | undefined;
}

/** Whose API key it is registered with, and by which key a repeat is known. */
export interface Registering {
  readonly by?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Where the files are, when they are not here. */
  readonly source?: string | undefined;
}

/** Models, their versions, and the files of those. */
export class Registry {
  readonly aliases: Aliases;
  readonly blobs: BlobStore;
  readonly featureNames: FeatureNames;
  readonly jobs: VersionJobs;
  readonly #parts: RegistryOptions;
  readonly #store: ModelRegistryStore;
  readonly #removal: Removal;
  #lastInspection: Promise<unknown> = Promise.resolve();

  private constructor(parts: RegistryOptions, store: ModelRegistryStore, featureNames: FeatureNames) {
    this.#parts = parts;
    this.#store = store;
    this.featureNames = featureNames;
    this.blobs = new BlobStore({ folder: parts.folder, usedOf: (hashes) => this.#store.used(hashes) });
    this.aliases = new Aliases({ ...parts, models: this.#store });
    this.#removal = new Removal({ ...parts, models: this.#store, aliases: this.aliases, blobs: this.blobs });
    this.jobs = new VersionJobs({ ...parts, models: store });
    this.askBeforeDeleting((model, version) => this.jobs.userOf(model, version));
  }

  /** Opens the registry; what an earlier process has left half done is gone when it returns. */
  static async open(parts: RegistryOptions): Promise<Registry> {
    const store = new ModelRegistryStore(parts.database);
    const registry = new Registry(parts, store, await FeatureNames.load(store));
    await registry.blobs.clean();
    return registry;
  }

  /** From now on no version is deleted that this one says is in use. */
  askBeforeDeleting(isInUse: IsInUse): void {
    this.#removal.askBeforeDeleting(isInUse);
  }

  /** Takes in the files of an upload. Give them to `register`, or let go of them with `blobs.release`. */
  receive(
    body: Readable,
    contentType: string,
  ): Promise<{ readonly fields: readonly FormField[]; readonly files: readonly ReceivedFile[] }> {
    return receiveUpload(body, { contentType, blobs: this.blobs, limits: this.#parts.limits });
  }

  /**
   * Registers the files as the next version of the model, or, when that was done with the same idempotency key before,
   * says which version that is. The files are let go of in any case.
   *
   * @throws ServiceError `invalid-input` when a model file among them cannot be served, `conflict` when the key was
   *   used for other files.
   */
  async register(
    registration: Registration,
    files: readonly ReceivedFile[],
    { by, idempotencyKey, signal, source }: Registering = {},
  ): Promise<{ readonly outcome: "registered" | "known"; readonly version: ModelVersion }> {
    let served: Held | undefined;
    try {
      if (files.length === 0 && source === undefined) {
        throw new ServiceError("invalid-input", "there is no file in the upload: send one at least");
      }
      const kept = files.map(({ path, bytes, sha256 }) => ({ path, bytes, sha256 })).sort(byPath);
      checkFilesNamed(registration, kept);
      const findings = await this.#inspect(kept, registration.sample, signal);
      served = findings.served;
      const now = this.#parts.now();
      const version: NewVersion = {
        model: registration.name,
        description: registration.description ?? "",
        created_at: now.toISOString(),
        registered_by: whoOf(registration.registered_by, by) ?? null,
        why: registration.why ?? null,
        tags: registration.tags,
        properties: registration.properties,
        lineage: registration.lineage,
        files: kept,
        bytes: kept.reduce((sum, { bytes }) => sum + bytes, 0),
        sha256: kept.length === 0 ? null : hashOfFiles(kept),
        main_file: findings.main_file,
        signature: refinedSignature(findings.signature, registration),
        notes: [...findings.notes],
        sample: recordedSample(registration.sample, findings.sample_outputs),
        served_sha256: served?.sha256 ?? null,
        source: source ?? null,
        idempotency_key: idempotencyKey ?? null,
      };
      const { outcome, number } = await this.#parts.database.transaction((tx) => this.#add(tx, version, now));
      this.featureNames.set(version.model, number, version.signature?.feature_names);
      return { outcome, version: await this.version(registration.name, number) };
    } finally {
      await this.blobs.release([...files, ...(served ? [served] : [])]);
    }
  }

  /** Makes a model that has no versions yet. @throws ServiceError `conflict` when it is there. */
  async createModel(model: {
    readonly name: string;
    readonly description: string;
    readonly tags: TagMap;
  }): Promise<void> {
    const made = await this.#parts.database.transaction((tx) =>
      this.#store.ensureModel(tx, { ...model, now: this.#parts.now() }),
    );
    if (made === "known") throw new ServiceError("conflict", `model "${model.name}" is registered already`);
  }

  /**
   * The version that is meant: a number, `@alias`, `latest`, or (undefined) the newest.
   * @throws ServiceError `not-found`.
   */
  async version(model: string, reference: string | undefined): Promise<ModelVersion> {
    const stored = await this.#find(model, reference);
    return (await this.#withAliases([stored], model))[0] as ModelVersion; // one in, one out
  }

  /**
   * A version with everything that is needed to serve it.
   * @throws ServiceError `not-found`; `invalid-input` when its files are elsewhere.
   */
  async resolve(model: string, reference: string | undefined): Promise<ResolvedVersion> {
    const found = await this.#find(model, reference);
    if (found.files.length === 0) {
      throw new ServiceError(
        "invalid-input",
        `version ${found.version} of model "${model}" has no files here, they are at ${found.source}: register it with its files to use it`,
      );
    }
    return {
      model,
      version: found.version,
      ...(reference?.startsWith("@") ? { alias: reference.slice(1) } : {}),
      files: found.files.map((file) => ({ ...file, blob_path: this.blobs.path(file.sha256) })),
      ...(found.main_file === null ? {} : { main_file: found.main_file }),
      signature: found.signature,
      ...(found.served_sha256 === null
        ? {}
        : { served_blob_path: this.blobs.path(found.served_sha256), served_sha256: found.served_sha256 }),
      ...(found.sample === null ? {} : { sample: found.sample }),
      properties: found.properties,
      tags: found.tags,
    };
  }

  async versions(query: {
    readonly conditions: readonly Condition[];
    readonly order: VersionOrder;
    readonly limit: number;
    readonly offset?: number;
  }): Promise<ModelVersion[]> {
    return this.#withAliases(await this.#store.versions(query), undefined);
  }

  async models(query: {
    readonly conditions: readonly Condition[];
    readonly known: "registered" | "in-any-way";
    readonly order: ModelOrder;
    readonly limit: number;
    readonly offset?: number;
    readonly after?: string | undefined;
    readonly versions?: "count" | "do-not-count";
  }): Promise<ModelSummary[]> {
    const models = await this.#store.models(query);
    const aliases = await this.aliases.current(undefined);
    return models.map((model) => ({
      ...model,
      aliases: Object.fromEntries(
        aliases.filter(({ model: of }) => of === model.name).map(({ alias, version }) => [alias, version]),
      ),
    }));
  }

  /** @throws ServiceError `not-found` when nothing is known of it in any way. */
  async model(name: string): Promise<ModelSummary> {
    const [found] = await this.models({
      conditions: [{ field: "name", operator: "=", values: [name] }],
      known: "in-any-way",
      order: [{ by: "name", direction: "up" }],
      limit: 1,
    });
    if (!found) throw noModel(name);
    return found;
  }

  async changeVersion(model: string, reference: string, patch: Patch): Promise<ModelVersion> {
    const { version } = await this.#find(model, reference);
    await this.#parts.database.transaction(async (tx) => {
      const stored = await this.#store.version(model, version, tx);
      if (!stored) throw noVersion(model, version);
      await this.#store.changeVersion(tx, { ...stored, ...patched(stored, patch), now: this.#parts.now() });
    });
    return this.version(model, version);
  }

  /** A model known only by what was sent in under its name is registered by that, without a version. */
  async changeModel(name: string, patch: Patch): Promise<ModelSummary> {
    await this.model(name);
    const now = this.#parts.now();
    await this.#parts.database.transaction(async (tx) => {
      await this.#store.ensureModel(tx, { name, description: "", tags: {}, now });
      const stored = await this.#store.registered(name, tx);
      if (!stored) throw noModel(name);
      await this.#store.changeModel(tx, { ...stored, ...patched(stored, patch), now });
    });
    return this.model(name);
  }

  /**
   * Deletes a version and those of its files that no other version has.
   * @throws ServiceError `not-found`; `conflict` while an alias points to it or something uses it.
   */
  async remove(model: string, version: string, by: string | undefined): Promise<void> {
    await this.#removal.remove(await this.#find(model, version), by);
    this.featureNames.delete(model, version);
  }

  /** Deletes a model with all its versions. What was collected under its name stays. @throws as `remove`. */
  async removeModel(name: string, by: string | undefined): Promise<void> {
    if (!(await this.#store.registered(name))) throw noModel(name);
    for (const { version } of await this.#removal.removeModel(name, by))
      this.featureNames.delete(name, version);
  }

  async #inspect(
    files: readonly ModelFile[],
    sample: ModelSample | undefined,
    signal: AbortSignal | undefined,
  ): Promise<Findings> {
    const { inspectModel, scratchDir } = this.#parts;
    if (!inspectModel)
      return { main_file: mainFileOf(files) ?? null, signature: null, served: undefined, notes: [] };
    // One at a time: each takes a processor and may take a lot of memory.
    const turn = this.#lastInspection.then(() =>
      inspectFiles(files, { blobs: this.blobs, scratchDir, inspectModel, sample, signal }),
    );
    this.#lastInspection = turn.catch(() => undefined);
    return turn;
  }

  async #add(
    tx: Transaction,
    version: NewVersion,
    now: Date,
  ): Promise<{ readonly outcome: "registered" | "known"; readonly number: string }> {
    const { model, idempotency_key: key } = version;
    const known = key === null ? undefined : await this.#store.versionOfKey(tx, model, key);
    if (known && known.sha256 !== version.sha256) {
      throw new ServiceError(
        "conflict",
        `the idempotency key was used before, for version ${known.version} of model "${model}", which has other files`,
      );
    }
    if (known) return { outcome: "known", number: known.version };
    const { parent } = version.lineage;
    if (parent !== undefined && !(await this.#store.version(model, parent, tx)))
      throw noVersion(model, parent);
    await this.#store.ensureModel(tx, { name: model, description: "", tags: {}, now });
    const number = await this.#store.addVersion(tx, version);
    await emit(
      tx,
      {
        type: "dev.leeway.model.registered",
        subject: `models/${model}/versions/${number}`,
        data: {
          model,
          version: number,
          sha256: version.sha256,
          bytes: version.bytes,
          registered_by: version.registered_by,
          why: version.why,
          lineage: version.lineage,
          tags: version.tags,
        },
      },
      now,
    );
    return { outcome: "registered", number };
  }

  async #find(model: string, reference: string | undefined): Promise<StoredVersion> {
    if (reference?.startsWith("@")) {
      const { version } = await this.aliases.find({ model, alias: reference.slice(1) });
      return this.#find(model, version);
    }
    const newest = reference === undefined || reference === "latest";
    const found = await this.#store.version(model, newest ? "newest" : reference);
    if (found) return found;
    if (!newest) throw noVersion(model, reference);
    throw new ServiceError(
      "not-found",
      `model "${model}" has no version in the registry: leeway model register ${model} FILE makes one`,
    );
  }

  async #withAliases(versions: readonly StoredVersion[], model: string | undefined): Promise<ModelVersion[]> {
    const aliases = new Map<string, string[]>();
    for (const { model: of, version, alias } of await this.aliases.current(model)) {
      aliases.set(`${of}:${version}`, [...(aliases.get(`${of}:${version}`) ?? []), alias]);
    }
    return versions.map(({ served_sha256: _, ...version }) => ({
      ...version,
      aliases: aliases.get(`${version.model}:${version.version}`) ?? [],
    }));
  }
}

/** SHA-256 of what `sha256sum` prints of all files, by path. */
function hashOfFiles(files: readonly ModelFile[]): string {
  const lines = files.map(({ sha256, path }) => `${sha256}  ${path}\n`);
  return createHash("sha256").update(lines.join("")).digest("hex");
}

function byPath(a: ModelFile, b: ModelFile): number {
  return a.path < b.path ? -1 : 1;
}

function patched(
  stored: { readonly description: string; readonly tags: TagMap },
  { description, tags = {} }: Patch,
): { readonly description: string; readonly tags: TagMap } {
  const merged = Object.entries({ ...stored.tags, ...tags }).filter(([, value]) => value !== null);
  return {
    description: description ?? stored.description,
    tags: Object.fromEntries(merged) as TagMap, // nulls are out
  };
}

function noModel(name: string): ServiceError {
  return new ServiceError("not-found", `there is no model "${name}"`);
}

/** A sample with the outputs that were given with it, or else with those that the model gave: deployments check them. */
function recordedSample(sample: ModelSample | undefined, found: ModelSample["outputs"]): ModelSample | null {
  if (!sample) return null;
  const outputs = sample.outputs ?? found;
  return { ...sample, ...(outputs ? { outputs } : {}) };
}
