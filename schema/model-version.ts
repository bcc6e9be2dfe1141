import { z } from "zod";
import { featureName, resourceName } from "./names.ts";
import { modelSignature, tensorDatatypes } from "./signature.ts";

/** Versions count from 1 within a model and are written as text, as the versions of records and baselines are. */
export const versionNumber = z
  .string()
  .regex(/^[1-9]\d{0,8}$/, "expected the number of a registered version, such as 3");

/** A name that points to one version at a time, such as `champion`. */
export const aliasName = resourceName.refine(
  (name) => name.toLowerCase() !== "latest" && !/^v?\d+$/i.test(name),
  "expected a name that cannot be taken for a version: not latest, 3 or v3",
);

/** Which version is meant: `3`, `@champion`, or `latest` for the newest. */
export const versionReference = z
  .string()
  .min(1)
  .max(129)
  .regex(
    /^(?:[1-9]\d{0,8}|latest|@[A-Za-z0-9][A-Za-z0-9._-]*)$/,
    "expected a version such as 3, an alias such as @champion, or latest",
  );

const tagKey = z.string().min(1).max(250);
/** Short texts by key. Those called tags may be changed; those called properties never are. */
export const tagMap = z.record(tagKey, z.string().max(5_000));
export type TagMap = z.infer<typeof tagMap>;

/** Tags to be set; null takes one away. */
export const tagPatch = z.record(tagKey, z.string().max(5_000).nullable());

/** Where a version comes from. Nothing in it is looked up: it is what was said at registration. */
export const lineage = z
  .strictObject({
    run_id: z.string().max(500).optional().meta({ description: "The run that trained it" }),
    run_url: z.string().max(2_000).optional(),
    git: z
      .strictObject({
        repository: z.string().max(2_000).optional(),
        branch: z.string().max(500).optional(),
        commit: z.string().max(100),
        dirty: z.boolean().optional().meta({ description: "Whether files differed from the commit" }),
      })
      .optional(),
    dataset_hash: z.string().max(200).optional().meta({ description: "Hash of the training data" }),
    environment_file: z
      .string()
      .max(512)
      .optional()
      .meta({ description: "Which of the version's files lists the environment it was trained in" }),
    parent: versionNumber.optional().meta({ description: "The version of this model that it was made from" }),
  })
  .meta({ id: "ModelLineage" });
export type Lineage = z.infer<typeof lineage>;

const sampleTensor = z.strictObject({
  name: z.string().min(1).max(512),
  datatype: z.enum(tensorDatatypes),
  shape: z.array(z.int().min(0)).max(64),
  data: z.array(z.unknown()).max(1_000_000),
});

/** An input the model must take and, where it was recorded, what it answers: tensors as in the Open Inference Protocol's JSON. */
export const modelSample = z
  .strictObject({
    inputs: z.array(sampleTensor).min(1).max(10_000),
    outputs: z.array(sampleTensor).max(10_000).optional(),
    tolerance: z.number().min(0).optional().meta({
      description: "How far a number of the outputs may be off, absolutely and relatively; 1e-4 when absent",
    }),
  })
  .meta({ id: "ModelSample" });
export type ModelSample = z.infer<typeof modelSample>;

export const modelFile = z
  .strictObject({
    path: z.string().meta({ description: "Within the version, folders with /" }),
    bytes: z.int(),
    sha256: z.string(),
  })
  .meta({ id: "ModelFile" });
export type ModelFile = z.infer<typeof modelFile>;

/** What is said at registration, beside the files. */
export const registration = z
  .strictObject({
    name: resourceName,
    description: z.string().max(100_000).optional(),
    tags: tagMap.default({}),
    properties: tagMap.default({}).meta({ description: "As tags, but they never change" }),
    lineage: lineage.default({}),
    registered_by: z.string().max(200).optional().meta({ description: "Who; the API key is named as well" }),
    why: z.string().max(2_000).optional(),
    feature_names: z
      .array(featureName)
      .max(100_000)
      .optional()
      .meta({ description: "Names of the columns of the one input matrix, in order" }),
    class_labels: z
      .array(z.union([z.string(), z.number()]))
      .max(100_000)
      .optional(),
    sample: modelSample.optional(),
  })
  .meta({ id: "ModelRegistration" });
export type Registration = z.infer<typeof registration>;

/** A registered version. Description and tags may be changed, nothing else. */
export const modelVersion = z
  .strictObject({
    model: z.string(),
    version: versionNumber,
    description: z.string(),
    created_at: z.string(),
    updated_at: z.string(),
    registered_by: z.string().nullable(),
    why: z.string().nullable(),
    tags: tagMap,
    properties: tagMap,
    aliases: z.array(z.string()).meta({ description: "Which point to it now" }),
    lineage,
    files: z.array(modelFile),
    bytes: z.int(),
    sha256: z
      .string()
      .nullable()
      .meta({ description: "Of the list of all files' paths and hashes; null for a version without files" }),
    main_file: z.string().nullable().meta({ description: "The file that is served" }),
    signature: modelSignature.nullable(),
    notes: z.array(z.string()).meta({ description: "What was found in the files that one should know" }),
    sample: modelSample.nullable(),
    source: z.string().nullable().meta({
      description: "Where the files are, when an MLflow client has registered a version without sending any",
    }),
  })
  .meta({ id: "ModelVersion" });
export type ModelVersion = z.infer<typeof modelVersion>;

/** A version with everything that is needed to serve it. */
export interface ResolvedVersion {
  readonly model: string;
  readonly version: string;
  /** The alias it was asked by, without the @. */
  readonly alias?: string;
  readonly files: readonly (ModelFile & {
    /** Where the content is; read only, and only its hash says what is in it. */
    readonly blob_path: string;
  })[];
  /** Path (within the version) of the file that is served; undefined when none of them is a model that is known here. */
  readonly main_file?: string;
  readonly signature: z.infer<typeof modelSignature> | null;
  /** The rewritten main file, when what is served differs from what was registered. */
  readonly served_blob_path?: string;
  readonly served_sha256?: string;
  readonly sample?: ModelSample;
  readonly properties: TagMap;
  readonly tags: TagMap;
}

/** Finds a version: a number, `@alias`, or the newest when there is no reference. */
export type ResolveModel = (model: string, reference: string | undefined) => Promise<ResolvedVersion>;

/** What an alias pointed to, since when and why. */
export const aliasState = z
  .strictObject({
    model: z.string(),
    alias: z.string(),
    version: versionNumber.nullable().meta({ description: "null: to none" }),
    changed_at: z.string(),
    changed_by: z.string().nullable(),
    why: z.string().nullable(),
  })
  .meta({ id: "AliasState" });
export type AliasState = z.infer<typeof aliasState>;

export const aliasChange = aliasState
  .extend({ previous: versionNumber.nullable().meta({ description: "What it pointed to before" }) })
  .meta({ id: "AliasChange" });
export type AliasChange = z.infer<typeof aliasChange>;

/** A model: registered, known by its records only, or both. */
export const modelSummary = z
  .strictObject({
    name: z.string(),
    known_by: z.array(z.enum(["registry", "records", "baseline"])).meta({
      description: "registry: versions can be listed; records, baseline: those were sent in under this name",
    }),
    description: z.string(),
    created_at: z.string().nullable().meta({ description: "When it was first registered" }),
    updated_at: z.string().nullable(),
    tags: tagMap,
    latest_version: versionNumber.nullable(),
    versions: z.int().meta({ description: "How many are registered" }),
    aliases: z.record(z.string(), versionNumber),
  })
  .meta({ id: "Model" });
export type ModelSummary = z.infer<typeof modelSummary>;
