import { emit } from "../events/events.ts";
import { ServiceError } from "../schema/errors.ts";
import type { Profile, ProfileSummary } from "../schema/profile.ts";
import type { Database } from "../store/database.ts";
import { type ProfileRunQuery, ProfileRunStore } from "../store/profile-runs.ts";

/** The profiles that were sent in. */
export class ProfileRuns {
  readonly #database: Database;
  readonly #store: ProfileRunStore;
  readonly #now: () => Date;

  constructor({ database, now }: { readonly database: Database; readonly now: () => Date }) {
    this.#database = database;
    this.#store = new ProfileRunStore(database);
    this.#now = now;
  }

  /**
   * Keeps a profile; the same one again changes nothing.
   * @throws ServiceError `conflict` when another one has its id.
   */
  add(profile: Profile): Promise<ProfileSummary> {
    return this.#database.transaction(async (tx) => {
      const known = await this.#store.find(profile.id, tx);
      if (known && JSON.stringify(known) !== JSON.stringify(profile)) {
        throw new ServiceError("conflict", `profile ${profile.id} is there already, and says something else`);
      }
      const summary = summaryOf(profile);
      if (known) return summary;
      const now = this.#now();
      await this.#store.add(tx, profile, now);
      const { id, target, recommendation, grade } = profile;
      await emit(
        tx,
        {
          type: "dev.leeway.profile.finished",
          subject: `profiles/${id}`,
          data: {
            id,
            name: profile.name,
            model: target.model,
            version: target.version,
            grade,
            recommendation,
            verdict: summary.verdict,
          },
        },
        now,
      );
      return summary;
    });
  }

  /** @throws ServiceError `not-found`. */
  async get(id: string): Promise<Profile> {
    const found = await this.#store.find(id);
    if (!found) throw notFound(id);
    return found;
  }

  list(query: ProfileRunQuery): Promise<ProfileSummary[]> {
    return this.#store.list(query);
  }

  /** @throws ServiceError `not-found`. */
  async remove(id: string): Promise<void> {
    await this.#database.transaction(async (tx) => {
      if ((await this.#store.remove(tx, id)) === 0) throw notFound(id);
    });
  }
}

function summaryOf({
  id,
  name,
  created_at,
  mode,
  target,
  grade,
  recommendation,
  verified,
}: Profile): ProfileSummary {
  return { id, name, created_at, mode, target, grade, recommendation, verdict: verified.verdict };
}

function notFound(id: string): ServiceError {
  return new ServiceError(
    "not-found",
    `there is no profile ${id}: leeway profile list tells which there are`,
  );
}
