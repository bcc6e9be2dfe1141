import { ServiceError } from "../schema/errors.ts";
import type { VersionJob } from "../schema/version-job.ts";
import type { Database } from "../store/database.ts";
import type { ModelRegistryStore } from "../store/model-registry.ts";
import { noVersion } from "./aliases.ts";

/** How long a job counts as running after its last word: whoever was killed says nothing more. */
const SILENT_MS = 60_000;
const MOST_JOBS = 1_000;

interface VersionName {
  readonly model: string;
  readonly version: string;
}

/**
 * Work that goes on with versions somewhere, such as profiles and batch scoring where the command runs: those versions
 * are not deleted meanwhile. Jobs speak up again and again, so they are known again soon after a restart, too.
 */
export class VersionJobs {
  readonly #database: Database;
  readonly #models: ModelRegistryStore;
  readonly #now: () => Date;
  readonly #jobs = new Map<string, VersionJob>();

  constructor({
    database,
    models,
    now,
  }: {
    readonly database: Database;
    readonly models: ModelRegistryStore;
    readonly now: () => Date;
  }) {
    this.#database = database;
    this.#models = models;
    this.#now = now;
  }

  /**
   * The job works with the version for another minute.
   * @throws ServiceError `not-found` when there is no such version, `conflict` when another version has a job of that id,
   *   `unavailable` with too many jobs.
   */
  keep(job: VersionName & { readonly id: string; readonly what: string }): Promise<VersionJob> {
    const { id, model, version, what } = job;
    // A transaction, so that no deletion is half done meanwhile.
    return this.#database.transaction(async (tx) => {
      if (!(await this.#models.version(model, version, tx))) throw noVersion(model, version);
      this.#forgetSilent();
      const known = this.#jobs.get(id);
      if (known && (known.model !== model || known.version !== version))
        throw new ServiceError("conflict", `job ${id} is one of version ${known.version} of ${known.model}`);
      if (!known && this.#jobs.size >= MOST_JOBS)
        throw new ServiceError(
          "unavailable",
          `there are ${MOST_JOBS} running jobs already: wait for one to end`,
          {
            retryAfterSeconds: SILENT_MS / 1_000,
          },
        );
      const now = this.#now();
      const until = new Date(now.getTime() + SILENT_MS).toISOString();
      const kept = { id, model, version, what, since: known?.since ?? now.toISOString(), until };
      this.#jobs.set(id, kept);
      return kept;
    });
  }

  /** Nothing happens when the job is not known. */
  end({ id, model, version }: VersionName & { readonly id: string }): void {
    const known = this.#jobs.get(id);
    if (known?.model === model && known.version === version) this.#jobs.delete(id);
  }

  /** Those of a version that are running, oldest first. */
  of({ model, version }: VersionName): readonly VersionJob[] {
    this.#forgetSilent();
    return [...this.#jobs.values()].filter((job) => job.model === model && job.version === version);
  }

  /** In words, which job works with a version. */
  userOf(model: string, version: string): string | undefined {
    const [job] = this.of({ model, version });
    return job && `the job "${job.what}", running since ${job.since},`;
  }

  #forgetSilent(): void {
    const now = this.#now().toISOString();
    for (const [id, { until }] of this.#jobs) if (until <= now) this.#jobs.delete(id);
  }
}
