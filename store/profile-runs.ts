import type { Profile, ProfileSummary } from "../schema/profile.ts";
import type { Database, Transaction } from "./database.ts";

/** Which profiles are asked for, newest first. */
export interface ProfileRunQuery {
  readonly model?: string | undefined;
  readonly name?: string | undefined;
  readonly limit: number;
  /** Id of the last profile already seen. */
  readonly before?: string | undefined;
}

type Reads = Pick<Transaction, "all">;

/** Profiles of services, each as it was sent in. */
export class ProfileRunStore {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  async add(tx: Transaction, profile: Profile, now: Date): Promise<void> {
    await tx.run(
      `insert into profile_runs values ($id, $name, $model, $version, $created_at::timestamptz, $now::timestamptz, $grade,
         $verdict, $document::json)`,
      {
        id: profile.id,
        name: profile.name,
        model: profile.target.model ?? null,
        version: profile.target.version ?? null,
        created_at: profile.created_at,
        now: now.toISOString(),
        grade: profile.grade,
        verdict: profile.verified.verdict,
        document: JSON.stringify(profile),
      },
    );
  }

  async find(id: string, reads: Reads = this.#database): Promise<Profile | undefined> {
    const [row] = await reads.all<{ document: string }>("select document from profile_runs where id = $id", {
      id,
    });
    return row && (JSON.parse(row.document) as Profile); // checked when it came in
  }

  async list({ model, name, limit, before }: ProfileRunQuery): Promise<ProfileSummary[]> {
    const rows = await this.#database.all<{ document: string; verdict: ProfileSummary["verdict"] }>(
      `select verdict, json_object('id', id, 'name', name, 'created_at', document->'created_at', 'mode', document->'mode',
         'target', document->'target', 'grade', grade, 'recommendation', document->'recommendation') as document
       from profile_runs
       where ($model is null or model = $model) and ($name is null or name = $name)
         and ($before is null or (created_at, id) < (select (created_at, id) from profile_runs where id = $before))
       order by created_at desc, id desc limit $limit`,
      { model: model ?? null, name: name ?? null, before: before ?? null, limit },
    );
    return rows.map(({ document, verdict }) => ({
      ...(JSON.parse(document) as Omit<ProfileSummary, "verdict">),
      verdict,
    }));
  }

  async remove(tx: Transaction, id: string): Promise<number> {
    return tx.run("delete from profile_runs where id = $id", { id });
  }
}
