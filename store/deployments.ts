import type { Database, Transaction } from "./database.ts";

export interface StoredDeployment {
  readonly name: string;
  readonly model: string;
  readonly state: "running" | "stopped";
  readonly spec: unknown;
  readonly host: string;
  readonly port: number;
  readonly plan: number | null;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface StoredPlan {
  readonly number: number;
  readonly kind: string;
  readonly why: string | null;
  readonly created_at: string;
  readonly outcome: "pending" | "live" | "replaced" | "failed";
  readonly error: string | null;
  readonly repeats: number | null;
  /** As it was asked for, references resolved. */
  readonly spec: unknown;
  /** As replicas read it. */
  readonly document: unknown;
}

interface DeploymentRow extends Omit<StoredDeployment, "spec" | "created_at" | "updated_at"> {
  readonly spec: string;
  readonly created_at: Date;
  readonly updated_at: Date;
}

interface PlanRow extends Omit<StoredPlan, "spec" | "document" | "created_at"> {
  readonly spec: string;
  readonly document: string;
  readonly created_at: Date;
}

type Reads = Pick<Transaction, "all">;

/** Deployments and the plans they have had. A plan's content never changes once it is stored. */
export class DeploymentStore {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  async put(
    tx: Transaction,
    deployment: Omit<StoredDeployment, "created_at" | "updated_at">,
    now: Date,
  ): Promise<void> {
    const { name, model, state, spec, host, port, plan } = deployment;
    await tx.run(
      `insert into deployments values ($name, $model, $state, $spec::json, $host, $port, $plan, $now::timestamptz, $now::timestamptz)
       on conflict (name) do update set model = excluded.model, state = excluded.state, spec = excluded.spec,
         host = excluded.host, port = excluded.port, plan = excluded.plan, updated_at = excluded.updated_at`,
      { name, model, state, spec: JSON.stringify(spec), host, port, plan, now: now.toISOString() },
    );
  }

  async find(name: string, reads: Reads = this.#database): Promise<StoredDeployment | undefined> {
    const [row] = await reads.all<DeploymentRow>("select * from deployments where name = $name", { name });
    return row && deploymentOf(row);
  }

  async list(reads: Reads = this.#database): Promise<StoredDeployment[]> {
    return (await reads.all<DeploymentRow>("select * from deployments order by name")).map(deploymentOf);
  }

  async addPlan(
    tx: Transaction,
    name: string,
    plan: Omit<StoredPlan, "created_at">,
    now: Date,
  ): Promise<void> {
    await tx.run(
      `insert into deployment_plans
       values ($name, $number, $kind, $why, $now::timestamptz, $outcome, $error, $repeats, $spec::json, $document::json)`,
      {
        name,
        number: plan.number,
        kind: plan.kind,
        why: plan.why,
        now: now.toISOString(),
        outcome: plan.outcome,
        error: plan.error,
        repeats: plan.repeats,
        spec: JSON.stringify(plan.spec),
        document: JSON.stringify(plan.document),
      },
    );
  }

  /** Says what became of a plan; one that has become live replaces the one before. */
  async settlePlan(
    tx: Transaction,
    name: string,
    { number, outcome, error }: Pick<StoredPlan, "number" | "outcome" | "error">,
  ): Promise<void> {
    if (outcome === "live")
      await tx.run(
        "update deployment_plans set outcome = 'replaced' where name = $name and outcome = 'live'",
        { name },
      );
    await tx.run(
      "update deployment_plans set outcome = $outcome, error = $error where name = $name and number = $number",
      { name, number, outcome, error },
    );
  }

  /** Deployments of which a plan is neither live nor has failed: it is under way, or was when the server ended. */
  async unfinished(reads: Reads = this.#database): Promise<string[]> {
    const rows = await reads.all<{ readonly name: string }>(
      "select distinct name from deployment_plans where outcome = 'pending' order by name",
    );
    return rows.map(({ name }) => name);
  }

  /** Numbers of such plans of one deployment. */
  async unfinishedPlans(name: string, reads: Reads = this.#database): Promise<number[]> {
    const rows = await reads.all<{ readonly number: number }>(
      "select number from deployment_plans where name = $name and outcome = 'pending' order by number",
      { name },
    );
    return rows.map(({ number }) => number);
  }

  /** Newest first. @param live - Number of a plan that is told in any case. */
  async plans(
    name: string,
    limit: number,
    live: number | null = null,
    reads: Reads = this.#database,
  ): Promise<StoredPlan[]> {
    const rows = await reads.all<PlanRow>(
      `select number, kind, why, created_at, outcome, error, repeats, spec, document from deployment_plans
       where name = $name and (number = $live or number in (
         select number from deployment_plans where name = $name order by number desc limit ${Math.trunc(limit)}))
       order by number desc`,
      { name, live: live ?? 0 }, // none has the number 0
    );
    return rows.map(({ spec, document, created_at, ...row }) => ({
      ...row,
      created_at: created_at.toISOString(),
      spec: JSON.parse(spec),
      document: JSON.parse(document),
    }));
  }
}

function deploymentOf({ spec, created_at, updated_at, ...row }: DeploymentRow): StoredDeployment {
  return {
    ...row,
    spec: JSON.parse(spec),
    created_at: created_at.toISOString(),
    updated_at: updated_at.toISOString(),
  };
}
