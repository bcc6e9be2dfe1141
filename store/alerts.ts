import { type Alert, alertRuleSpec, channelSpec, type Severity } from "../schema/alert.ts";
import { ServiceError } from "../schema/errors.ts";
import type { Database, Transaction } from "./database.ts";
import { NamedSpecs } from "./named-specs.ts";

interface AlertRow
  extends Omit<Alert, "features" | "since" | "last_window_to" | "last_notified_at" | "resolved_at"> {
  readonly features: string;
  readonly since: Date;
  readonly last_window_to: Date;
  readonly last_notified_at: Date | null;
  readonly resolved_at: Date | null;
}

/** What an alert is about; one episode at a time. */
export interface AlertSubject {
  readonly rule: string;
  readonly model: string;
  readonly monitor: string;
}

export interface AlertQuery {
  readonly state?: Alert["state"] | undefined;
  readonly model?: string | undefined;
  readonly limit: number;
  /** Id of the last alert already seen, newest first. */
  readonly before?: string | undefined;
}

export const alertRules = (database: Database) =>
  new NamedSpecs(database, {
    table: "alert_rules",
    noun: "alert rule",
    parse: (spec) => alertRuleSpec.parse(spec),
  });

export const channels = (database: Database) =>
  new NamedSpecs(database, { table: "channels", noun: "channel", parse: (spec) => channelSpec.parse(spec) });

/** Alerts, one row per episode from firing to resolved. */
export class AlertStore {
  readonly #database: Database;
  constructor(database: Database) {
    this.#database = database;
  }

  /** The newest episode of the subject. */
  async latest(tx: Transaction, subject: AlertSubject): Promise<Alert | undefined> {
    const [row] = await tx.all<AlertRow>(
      `select ${COLUMNS} from alerts where rule = $rule and model = $model and monitor = $monitor order by id desc limit 1`,
      { ...subject },
    );
    return row && stored(row);
  }

  async add(tx: Transaction, alert: Alert): Promise<void> {
    await tx.run(
      `insert into alerts (${COLUMNS}) values ($id, $rule, $model, $monitor, $state, $severity, $summary, $features::json,
         $since::timestamptz, $last_window_to::timestamptz, $last_notified_at::timestamptz, $acknowledged_by::varchar,
         $acknowledged_why::varchar, $resolved_at::timestamptz, $owner::varchar)`,
      { ...alert, features: JSON.stringify(alert.features) },
    );
  }

  async update(tx: Transaction, alert: Alert): Promise<void> {
    const { rule: _rule, model: _model, monitor: _monitor, ...changing } = alert;
    await tx.run(
      `update alerts set state = $state, severity = $severity, summary = $summary, features = $features::json,
         since = $since::timestamptz, last_window_to = $last_window_to::timestamptz,
         last_notified_at = $last_notified_at::timestamptz, acknowledged_by = $acknowledged_by::varchar,
         acknowledged_why = $acknowledged_why::varchar, resolved_at = $resolved_at::timestamptz, owner = $owner::varchar
       where id = $id`,
      { ...changing, features: JSON.stringify(alert.features) },
    );
  }

  /** @throws ServiceError `not-found`. */
  async get(id: string, reads: Pick<Transaction, "all"> = this.#database): Promise<Alert> {
    const [row] = await reads.all<AlertRow>(`select ${COLUMNS} from alerts where id = $id`, { id });
    if (row) return stored(row);
    throw new ServiceError("not-found", `there is no alert "${id}": GET /v1/alerts lists them`);
  }

  /** Newest first. */
  async list({ state, model, limit, before }: AlertQuery): Promise<Alert[]> {
    const rows = await this.#database.all<AlertRow>(
      `select ${COLUMNS} from alerts
       where ($state = '' or state = $state) and ($model = '' or model = $model) and ($before = '' or id < $before)
       order by id desc limit ${Math.trunc(limit)}`,
      { state: state ?? "", model: model ?? "", before: before ?? "" },
    );
    return rows.map(stored);
  }

  /** Episodes that are not over, of one rule or of one monitor. */
  async open(
    tx: Transaction,
    of: { readonly rule: string } | { readonly model: string; readonly monitor: string },
  ): Promise<Alert[]> {
    const which = "rule" in of ? "rule = $rule" : "model = $model and monitor = $monitor";
    const rows = await tx.all<AlertRow>(
      `select ${COLUMNS} from alerts where state <> 'resolved' and ${which}`,
      {
        ...of,
      },
    );
    return rows.map(stored);
  }

  /** Alerts firing and not acknowledged, by severity. */
  async firing(): Promise<ReadonlyMap<Severity, number>> {
    const rows = await this.#database.all<{ severity: Severity; firing: number }>(
      "select severity, count(*) as firing from alerts where state = 'firing' group by severity",
    );
    return new Map(rows.map(({ severity, firing }) => [severity, firing]));
  }

  /** Who owns the monitor, by its own spec. */
  async monitorOwner(
    tx: Transaction,
    { model, monitor }: Omit<AlertSubject, "rule">,
  ): Promise<string | null> {
    const [row] = await tx.all<{ owner: string | null }>(
      "select spec->>'owner' as owner from monitors where model = $model and name = $monitor",
      { model, monitor },
    );
    return row?.owner ?? null;
  }
}

const COLUMNS =
  "id, rule, model, monitor, state, severity, summary, features, since, last_window_to, last_notified_at, acknowledged_by, acknowledged_why, resolved_at, owner";

function stored(row: AlertRow): Alert {
  return {
    ...row,
    features: JSON.parse(row.features) as string[], // written by add() and update()
    since: row.since.toISOString(),
    last_window_to: row.last_window_to.toISOString(),
    last_notified_at: row.last_notified_at?.toISOString() ?? null,
    resolved_at: row.resolved_at?.toISOString() ?? null,
  };
}
