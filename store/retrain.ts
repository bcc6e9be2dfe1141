import { listValue } from "@duckdb/node-api";
import { ServiceError } from "../schema/errors.ts";
import {
  type RetrainDecision,
  type RetrainReport,
  type RetrainRun,
  type RetrainStatus,
  retrainPolicySpec,
} from "../schema/retrain.ts";
import type { Database, Transaction } from "./database.ts";
import { NamedSpecs } from "./named-specs.ts";

/** A run as stored: without its reports and its delivery, with the hash of its token. */
export interface StoredRun extends Omit<RetrainRun, "reports" | "delivery"> {
  /** End of the window that led to the request, in the windows' time. */
  readonly decided_for: string;
  readonly token_hash: string;
}

interface RunRow {
  readonly id: string;
  readonly model: string;
  readonly policy: string;
  readonly status: RetrainStatus;
  readonly reason: string;
  readonly decided_for: Date;
  readonly requested_at: Date;
  readonly updated_at: Date;
  readonly data_from: Date;
  readonly data_to: Date;
  readonly drift: string | null;
  readonly token_hash: string;
}

export interface RunQuery {
  readonly model?: string | undefined;
  readonly limit: number;
  /** Id of the last run already seen, newest first. */
  readonly before?: string | undefined;
}

type Reads = Pick<Transaction, "all">;

export const retrainPolicies = (database: Database) =>
  new NamedSpecs(database, {
    table: "retrain_policies",
    noun: "retrain policy",
    parse: (spec) => retrainPolicySpec.parse(spec),
  });

/** Retraining runs, what trainers reported of them, and every decision that led to one or did not. */
export class RetrainStore {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  async addRun(tx: Transaction, run: StoredRun): Promise<void> {
    await tx.run(
      `insert into retrain_runs values ($id, $model, $policy, $status, $reason, $decided_for::timestamptz,
         $requested_at::timestamptz, $updated_at::timestamptz, $data_from::timestamptz, $data_to::timestamptz,
         $drift::json, $token_hash)`,
      {
        id: run.id,
        model: run.model,
        policy: run.policy,
        status: run.status,
        reason: run.reason,
        decided_for: run.decided_for,
        requested_at: run.requested_at,
        updated_at: run.updated_at,
        data_from: run.data.from,
        data_to: run.data.to,
        drift: run.drift === null ? null : JSON.stringify(run.drift),
        token_hash: run.token_hash,
      },
    );
  }

  /** Adds a report to a run that it has brought to `status`. */
  async addReport(
    tx: Transaction,
    { id, report, now }: { readonly id: string; readonly report: RetrainReport; readonly now: Date },
  ): Promise<void> {
    const at = now.toISOString();
    await tx.run(
      `insert into retrain_reports
       select $id, coalesce(max(number), 0) + 1, $at::timestamptz, $report::json from retrain_reports where run_id = $id`,
      { id, at, report: JSON.stringify(report) },
    );
    await tx.run("update retrain_runs set status = $status, updated_at = $at::timestamptz where id = $id", {
      id,
      status: report.status,
      at,
    });
  }

  /** The last run that was asked for, by any policy or by hand. */
  async lastRun(tx: Reads, model: string): Promise<StoredRun | undefined> {
    const [row] = await tx.all<RunRow>(
      "select * from retrain_runs where model = $model order by requested_at desc, id desc limit 1",
      { model },
    );
    return row && storedRun(row);
  }

  /** @throws ServiceError `not-found`. */
  async getRun(id: string, reads: Reads = this.#database): Promise<StoredRun> {
    const [row] = await reads.all<RunRow>("select * from retrain_runs where id = $id", { id });
    if (row) return storedRun(row);
    throw new ServiceError("not-found", `there is no retrain run "${id}": GET /v1/retrain-runs lists them`);
  }

  /** Newest first. */
  async listRuns({ model, limit, before }: RunQuery): Promise<StoredRun[]> {
    const rows = await this.#database.all<RunRow>(
      `select * from retrain_runs where ($model = '' or model = $model) and ($before = '' or id < $before)
       order by id desc limit ${Math.trunc(limit)}`,
      { model: model ?? "", before: before ?? "" },
    );
    return rows.map(storedRun);
  }

  /** Reports by run, oldest first. */
  async reports(
    runs: readonly string[],
    reads: Reads = this.#database,
  ): Promise<ReadonlyMap<string, RetrainRun["reports"]>> {
    const found = new Map<string, RetrainRun["reports"]>(runs.map((id) => [id, []]));
    if (runs.length === 0) return found;
    const rows = await reads.all<{ run_id: string; received_at: Date; report: string }>(
      "select run_id, received_at, report from retrain_reports where list_contains($runs, run_id) order by number",
      { runs: listValue([...runs]) },
    );
    for (const { run_id, received_at, report } of rows) {
      const parsed = JSON.parse(report) as RetrainReport; // written by addReport()
      found.get(run_id)?.push({ ...parsed, at: received_at.toISOString() });
    }
    return found;
  }

  async addDecision(tx: Transaction, { window, ...decision }: RetrainDecision): Promise<void> {
    await tx.run(
      `insert into retrain_decisions values ($policy, $model, $monitor, $from::timestamptz, $to::timestamptz, $action,
         $reason, $detail, $run_id::varchar, $decided_at::timestamptz)`,
      { ...decision, from: window.from, to: window.to },
    );
  }

  /** The last decisions of a policy, newest first. */
  async decisions(policy: string, limit: number): Promise<RetrainDecision[]> {
    const rows = await this.#database.all<
      Omit<RetrainDecision, "window" | "decided_at"> & {
        readonly window_from: Date;
        readonly window_to: Date;
        readonly decided_at: Date;
      }
    >(
      `select * from retrain_decisions where policy = $policy
       order by decided_at desc, window_to desc limit ${Math.trunc(limit)}`,
      { policy },
    );
    return rows.map(({ window_from, window_to, decided_at, ...decision }) => ({
      ...decision,
      window: { from: window_from.toISOString(), to: window_to.toISOString() },
      decided_at: decided_at.toISOString(),
    }));
  }
}

function storedRun({ data_from, data_to, drift, ...row }: RunRow): StoredRun {
  return {
    ...row,
    decided_for: row.decided_for.toISOString(),
    requested_at: row.requested_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    data: { from: data_from.toISOString(), to: data_to.toISOString() },
    drift: drift === null ? null : (JSON.parse(drift) as Record<string, unknown>), // written by addRun()
  };
}
