import type {
  Lineage,
  ModelFile,
  ModelSample,
  ModelSummary,
  ModelVersion,
  TagMap,
} from "../schema/model-version.ts";
import type { ModelSignature } from "../schema/signature.ts";

/** A version as stored, with the hash of the file that is served where it is not the main file itself. */
export interface StoredVersion extends Omit<ModelVersion, "aliases"> {
  readonly served_sha256: string | null;
}

/** A row of `model_versions`, with its files. */
export interface VersionRow {
  readonly model: string;
  readonly version: number;
  readonly description: string;
  readonly tags: string;
  readonly created_at: Date;
  readonly updated_at: Date;
  readonly registered_by: string | null;
  readonly why: string | null;
  readonly properties: string;
  readonly lineage: string;
  readonly bytes: number;
  readonly sha256: string | null;
  readonly main_file: string | null;
  readonly signature: string | null;
  readonly notes: string;
  readonly sample: string | null;
  readonly served_sha256: string | null;
  readonly source: string | null;
  readonly files: readonly ModelFile[];
}

/** A model as the query for a list of them gives it. */
export interface ModelRow {
  readonly name: string;
  readonly registered: boolean;
  readonly records: boolean;
  readonly baseline: boolean;
  readonly description: string | null;
  readonly tags: string | null;
  readonly created_at: Date | null;
  readonly updated_at: Date | null;
  readonly latest: number | null;
  readonly versions: number;
}

export function storedVersion(row: VersionRow): StoredVersion {
  return {
    ...row,
    version: String(row.version),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    tags: JSON.parse(row.tags) as TagMap,
    properties: JSON.parse(row.properties) as TagMap,
    lineage: JSON.parse(row.lineage) as Lineage,
    notes: JSON.parse(row.notes) as string[],
    signature: row.signature === null ? null : (JSON.parse(row.signature) as ModelSignature),
    sample: row.sample === null ? null : (JSON.parse(row.sample) as ModelSample),
    files: [...row.files],
  };
}

export function summaryOf(row: ModelRow): Omit<ModelSummary, "aliases"> {
  return {
    name: row.name,
    known_by: [
      ...(row.registered ? (["registry"] as const) : []),
      ...(row.records ? (["records"] as const) : []),
      ...(row.baseline ? (["baseline"] as const) : []),
    ],
    description: row.description ?? "",
    created_at: row.created_at?.toISOString() ?? null,
    updated_at: row.updated_at?.toISOString() ?? null,
    tags: row.tags === null ? {} : (JSON.parse(row.tags) as TagMap),
    latest_version: row.latest === null ? null : String(row.latest),
    versions: row.versions,
  };
}
