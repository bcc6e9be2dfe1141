import { listValue } from "@duckdb/node-api";
import type { ModelFile, ModelSummary, TagMap } from "../schema/model-version.ts";
import type { Database, Parameters, Transaction } from "./database.ts";
import { identifier } from "./identifier.ts";
import { type Condition, whereModels, whereVersions } from "./model-conditions.ts";
import {
  type ModelRow,
  type StoredVersion,
  storedVersion,
  summaryOf,
  type VersionRow,
} from "./model-rows.ts";

type Reads = Pick<Transaction, "all">;

/** A version that is about to get its number. */
export interface NewVersion extends Omit<StoredVersion, "version" | "updated_at"> {
  readonly idempotency_key: string | null;
}

/** A model as registered. */
export interface RegisteredModel {
  readonly name: string;
  readonly description: string;
  readonly tags: TagMap;
  readonly created_at: string;
  readonly updated_at: string;
}

/** What a list is ordered by, the first first. */
export type Order<Key extends string> = readonly {
  readonly by: Key;
  readonly direction: "up" | "down";
}[];
export type VersionOrder = Order<"model" | "version" | "created_at" | "updated_at">;
export type ModelOrder = Order<"name" | "created_at" | "updated_at">;

/** Registered models and their versions. Content of files is elsewhere, under its hash. */
export class ModelRegistryStore {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  /** Makes the model unless it is registered already. */
  async ensureModel(
    tx: Transaction,
    model: { readonly name: string; readonly description: string; readonly tags: TagMap; readonly now: Date },
  ): Promise<"made" | "known"> {
    if (await this.registered(model.name, tx)) return "known";
    const values = {
      name: model.name,
      description: model.description,
      tags: JSON.stringify(model.tags),
      now: model.now.toISOString(),
    };
    const again = await tx.run(
      `update registered_models set description = $description, tags = $tags::json, created_at = $now::timestamptz,
         updated_at = $now::timestamptz, deleted_at = null where name = $name`,
      values,
    );
    if (again === 0) {
      await tx.run(
        `insert into registered_models values ($name, $description, $tags::json, $now::timestamptz, $now::timestamptz, 0,
           null)`,
        values,
      );
    }
    return "made";
  }

  /** Gives the version the next number of its model, which must be registered. */
  async addVersion(tx: Transaction, version: NewVersion): Promise<string> {
    const created = version.created_at;
    await tx.run(
      `update registered_models set last_version = last_version + 1, updated_at = $created::timestamptz where name = $model`,
      { model: version.model, created },
    );
    const [row] = await tx.all<{ number: number }>(
      "select last_version as number from registered_models where name = $model",
      { model: version.model },
    );
    if (!row) throw new RangeError(`model "${version.model}" is not registered`);
    await tx.run(
      `insert into model_versions values ($model, $number, $description, $tags::json, $created::timestamptz,
         $created::timestamptz, $registered_by::varchar, $why::varchar, $properties::json, $lineage::json, $bytes,
         $sha256::varchar, $main_file::varchar, $signature::json, $notes::json, $sample::json, $served_sha256::varchar,
         $source::varchar, $idempotency_key::varchar)`,
      {
        model: version.model,
        number: row.number,
        description: version.description,
        tags: JSON.stringify(version.tags),
        created,
        registered_by: version.registered_by,
        why: version.why,
        properties: JSON.stringify(version.properties),
        lineage: JSON.stringify(version.lineage),
        bytes: version.bytes,
        sha256: version.sha256,
        main_file: version.main_file,
        signature: jsonOrNull(version.signature),
        notes: JSON.stringify(version.notes),
        sample: jsonOrNull(version.sample),
        served_sha256: version.served_sha256,
        source: version.source,
        idempotency_key: version.idempotency_key,
      },
    );
    await tx.run(
      `insert into model_files
       select $model, $number, file.path, file.bytes, file.sha256
       from (select unnest(from_json($files, '[{"path": "VARCHAR", "bytes": "BIGINT", "sha256": "VARCHAR"}]')) as file)`,
      { model: version.model, number: row.number, files: JSON.stringify(version.files) },
    );
    return String(row.number);
  }

  async registered(name: string, reads: Reads = this.#database): Promise<RegisteredModel | undefined> {
    const [row] = await reads.all<{
      readonly name: string;
      readonly description: string;
      readonly tags: string;
      readonly created_at: Date;
      readonly updated_at: Date;
    }>(
      "select name, description, tags, created_at, updated_at from registered_models where name = $name and deleted_at is null",
      {
        name,
      },
    );
    return (
      row && {
        ...row,
        tags: JSON.parse(row.tags) as TagMap,
        created_at: row.created_at.toISOString(),
        updated_at: row.updated_at.toISOString(),
      }
    );
  }

  /** The version of this number, or the newest one. */
  async version(
    model: string,
    number: string | "newest",
    reads: Reads = this.#database,
  ): Promise<StoredVersion | undefined> {
    const which = number === "newest" ? "" : "and v.version = $number::integer";
    const [row] = await reads.all<Omit<VersionRow, "files">>(
      `select ${COLUMNS} from model_versions v where v.model = $model ${which} order by v.version desc limit 1`,
      number === "newest" ? { model } : { model, number },
    );
    return row && (await withFiles(row, reads));
  }

  /** The version of the model that was registered with this idempotency key. */
  async versionOfKey(tx: Transaction, model: string, key: string): Promise<StoredVersion | undefined> {
    const [row] = await tx.all<Omit<VersionRow, "files">>(
      `select ${COLUMNS} from model_versions v where v.model = $model and v.idempotency_key = $key`,
      { model, key },
    );
    return row && (await withFiles(row, tx));
  }

  async versions({
    conditions,
    order,
    limit,
    offset = 0,
  }: {
    readonly conditions: readonly Condition[];
    readonly order: VersionOrder;
    readonly limit: number;
    readonly offset?: number;
  }): Promise<StoredVersion[]> {
    const where = whereVersions(conditions);
    const rows = await this.#database.all<VersionRow>(
      `${VERSIONS} where ${["true", ...where.conditions].join(" and ")} order by ${orderText(order, "v")}
       limit ${Math.trunc(limit)} offset ${Math.trunc(offset)}`,
      where.parameters,
    );
    return rows.map(storedVersion);
  }

  /** Models, registered or known by what was sent in under their name. */
  async models({
    conditions,
    known,
    order,
    limit,
    offset = 0,
    after,
    versions = "count",
  }: {
    readonly conditions: readonly Condition[];
    /** Whether those count that nobody has registered. */
    readonly known: "registered" | "in-any-way";
    readonly order: ModelOrder;
    readonly limit: number;
    readonly offset?: number;
    /** Only names after this one. */
    readonly after?: string | undefined;
    /** Whether tags and words of a model's versions count as those of the model. */
    readonly versions?: "count" | "do-not-count";
  }): Promise<Omit<ModelSummary, "aliases">[]> {
    const where = whereModels(conditions, versions);
    const all = [
      known === "registered" ? "k.registered" : "true",
      ...(after === undefined ? [] : ["k.name > $after"]),
      ...where.conditions,
    ];
    const rows = await this.#database.all<ModelRow>(
      `with known as (
         select name, bool_or(kind = 'registry') as registered, bool_or(kind = 'records') as records,
           bool_or(kind = 'baseline') as baseline
         from (
           select name, 'registry' as kind from registered_models where deleted_at is null
           union all select model, 'records' from collected_models
           union all select distinct model, 'baseline' from baselines)
         group by name),
       counted as (select model, count(*) as versions, max(version) as latest from model_versions group by model)
       select k.name, k.registered, k.records, k.baseline, r.description, r.tags, r.created_at, r.updated_at,
         c.latest, coalesce(c.versions, 0) as versions
       from known k left join registered_models r on r.name = k.name and r.deleted_at is null left join counted c on c.model = k.name
       where ${all.join(" and ")}
       order by ${orderText(order, "r")} limit ${Math.trunc(limit)} offset ${Math.trunc(offset)}`,
      { ...where.parameters, ...(after === undefined ? {} : { after }) } as Parameters,
    );
    return rows.map(summaryOf);
  }

  /** Changes what may be changed of a version. */
  async changeVersion(
    tx: Transaction,
    {
      model,
      version,
      description,
      tags,
      now,
    }: Pick<StoredVersion, "model" | "version" | "description" | "tags"> & { readonly now: Date },
  ): Promise<void> {
    await tx.run(
      `update model_versions set description = $description, tags = $tags::json, updated_at = $now::timestamptz
       where model = $model and version = $version::integer`,
      { model, version, description, tags: JSON.stringify(tags), now: now.toISOString() },
    );
  }

  async changeModel(
    tx: Transaction,
    {
      name,
      description,
      tags,
      now,
    }: Pick<RegisteredModel, "name" | "description" | "tags"> & { readonly now: Date },
  ): Promise<void> {
    await tx.run(
      `update registered_models set description = $description, tags = $tags::json, updated_at = $now::timestamptz
       where name = $name`,
      { name, description, tags: JSON.stringify(tags), now: now.toISOString() },
    );
  }

  async removeVersion(tx: Transaction, model: string, version: string): Promise<void> {
    const one = "where model = $model and version = $version::integer";
    await tx.run(`delete from model_files ${one}`, { model, version });
    await tx.run(`delete from model_versions ${one}`, { model, version });
  }

  /** The model must have no versions. Its aliases' history stays, and its numbers are not given again. */
  async removeModel(tx: Transaction, name: string, now: Date): Promise<void> {
    await tx.run("update registered_models set deleted_at = $now::timestamptz where name = $name", {
      name,
      now: now.toISOString(),
    });
  }

  /** The names that versions have for the columns of their input, oldest version first. */
  async featureNames(): Promise<
    { readonly model: string; readonly version: string; readonly feature_names: readonly string[] }[]
  > {
    const rows = await this.#database.all<{ model: string; version: number; names: string }>(
      `select model, version, signature->'feature_names' as names from model_versions
       where (signature->'feature_names') is not null order by model, version`,
    );
    return rows.map(({ model, version, names }) => ({
      model,
      version: String(version),
      feature_names: JSON.parse(names) as string[],
    }));
  }

  /** Those of the hashes that some version's files have. */
  async used(hashes: readonly string[]): Promise<ReadonlySet<string>> {
    if (hashes.length === 0) return new Set();
    const rows = await this.#database.all<{ sha256: string }>(
      `select sha256 from model_files where list_contains($hashes, sha256)
       union select served_sha256 from model_versions where list_contains($hashes, served_sha256)`,
      { hashes: listValue([...hashes]) },
    );
    return new Set(rows.map(({ sha256 }) => sha256));
  }
}

const COLUMNS = `v.model, v.version, v.description, v.tags, v.created_at, v.updated_at, v.registered_by, v.why,
    v.properties, v.lineage, v.bytes, v.sha256, v.main_file, v.signature, v.notes, v.sample, v.served_sha256, v.source`;

const VERSIONS = `select ${COLUMNS},
    coalesce((
      select list({'path': f.path, 'bytes': f.bytes, 'sha256': f.sha256} order by f.path) from model_files f
      where f.model = v.model and f.version = v.version), []) as files
  from model_versions v`;

/** For one version two plain queries are quicker than the one that is made for many. */
async function withFiles(row: Omit<VersionRow, "files">, reads: Reads): Promise<StoredVersion> {
  const files = await reads.all<ModelFile>(
    "select path, bytes, sha256 from model_files where model = $model and version = $version order by path",
    { model: row.model, version: row.version },
  );
  return storedVersion({ ...row, files });
}

function jsonOrNull(value: unknown): string | null {
  return value === null ? null : JSON.stringify(value);
}

/** As SQL; keys are those of the type above, and a model's name is that of the list of all known ones. */
function orderText(order: Order<string>, table: string): string {
  return order
    .map(({ by, direction }) => {
      const column = by === "name" ? "k.name" : `${table}.${identifier(by)}`;
      return direction === "up" ? `${column} asc nulls first` : `${column} desc nulls last`;
    })
    .join(", ");
}
