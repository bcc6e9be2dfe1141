/**
 * The layout of the database, step by step. A step that has been released never changes; what comes
 * later is a new step at the end. All missing steps run in one transaction at start.
 */
export interface Migration {
  readonly number: number;
  readonly name: string;
  readonly statements: readonly string[];
}

export const migrations: readonly Migration[] = [
  {
    number: 1,
    name: "baselines, monitors and results",
    statements: [
      `create table baselines (
         id varchar primary key, model varchar not null, version varchar not null, created_at timestamptz not null,
         dataset_hash varchar not null, row_count bigint not null, document json not null)`,
      // One row: one column over one block of time (an hour or a day) of the baseline's own data.
      `create table baseline_profiles (
         baseline_id varchar not null, block_start timestamptz not null, column_name varchar not null,
         missing bigint not null, counts bigint[] not null)`,
      // One row: one column over one hour of collected records, counted on a baseline's bins or categories.
      `create table profiles (
         baseline_id varchar not null, hour_start timestamptz not null, column_name varchar not null,
         record_count bigint not null, missing bigint not null, mismatched bigint not null,
         mean double, std double, minimum double, maximum double, below bigint not null, above bigint not null,
         counts bigint[], categories json)`,
      // The last load that had touched each profiled hour when it was counted: records have come since when it differs.
      `create table profile_hours (
         baseline_id varchar not null, hour_start timestamptz not null, load_number bigint not null)`,
      `create table monitors (
         model varchar not null, name varchar not null, spec json not null, created_at timestamptz not null,
         updated_at timestamptz not null, next_window timestamptz, primary key (model, name))`,
      `create table window_results (
         model varchar not null, monitor varchar not null, version varchar not null,
         window_from timestamptz not null, window_to timestamptz not null, row_count bigint not null,
         labelled double, verdict varchar not null, drifted integer not null, reason varchar not null,
         dataset json not null, computed_at timestamptz not null)`,
      `create table drift_results (
         model varchar not null, monitor varchar not null, version varchar not null,
         window_from timestamptz not null, window_to timestamptz not null, feature varchar not null,
         verdict varchar not null, reason varchar not null, result json not null)`,
    ],
  },
  {
    number: 2,
    name: "collected records and labels",
    statements: [
      "create schema views",
      "create schema windows",
      `create table collected_models (
         model varchar primary key, records_table varchar not null, labels_table varchar not null,
         view_name varchar not null, label_type varchar, created_at timestamptz not null default now())`,
      `create table model_columns (
         model varchar not null, direction varchar not null, name varchar not null, column_name varchar not null,
         type varchar not null, position integer not null, created_at timestamptz not null default now())`,
      // One row: an hour of event time of a model, and the last load that brought records or labels for it.
      `create table touched_hours (
         model varchar not null, hour_start timestamptz not null, records bigint not null, load_number bigint not null,
         updated_at timestamptz not null, primary key (model, hour_start))`,
      // How far each journal segment is in the tables: written in the transaction that loads it.
      "create table journal_segments (segment bigint primary key, loaded_bytes bigint not null)",
      "create table collector_settings (name varchar primary key, value varchar not null)",
    ],
  },
  {
    number: 3,
    name: "alerts, outbox, events and retraining",
    statements: [
      `create table events (
         sequence bigint not null, id varchar not null, type varchar not null, subject varchar not null,
         time timestamptz not null, data json not null)`,
      // A message to the outside, written with what it tells of. `secret` is wiped once the message is done with.
      `create table outbox (
         id varchar not null, target_kind varchar not null, target_name varchar not null, about varchar not null,
         body varchar not null, secret varchar, coalesce_key varchar, created_at timestamptz not null,
         waiting_since timestamptz not null, due_at timestamptz not null, state varchar not null,
         attempts integer not null, last_attempt_at timestamptz, last_status integer, last_error varchar,
         finished_at timestamptz)`,
      `create table channels (
         name varchar primary key, spec json not null, created_at timestamptz not null, updated_at timestamptz not null,
         disabled_at timestamptz, disabled_why varchar)`,
      `create table alert_rules (
         name varchar primary key, spec json not null, created_at timestamptz not null, updated_at timestamptz not null)`,
      // One row: one episode of one rule on one monitor, from firing to resolved.
      `create table alerts (
         id varchar not null, rule varchar not null, model varchar not null, monitor varchar not null,
         state varchar not null, severity varchar not null, summary varchar not null, features json not null,
         since timestamptz not null, last_window_to timestamptz not null, last_notified_at timestamptz,
         acknowledged_at timestamptz, acknowledged_by varchar, acknowledged_why varchar,
         resolved_at timestamptz, owner varchar)`,
      `create table retrain_policies (
         name varchar primary key, spec json not null, created_at timestamptz not null, updated_at timestamptz not null,
         disabled_at timestamptz, disabled_why varchar)`,
      // decided_for: end of the window that led to the request, in the windows' time.
      `create table retrain_runs (
         id varchar not null, model varchar not null, policy varchar not null, status varchar not null,
         reason varchar not null, decided_for timestamptz not null, requested_at timestamptz not null,
         updated_at timestamptz not null, data_from timestamptz not null, data_to timestamptz not null,
         drift json, token_hash varchar not null)`,
      `create table retrain_reports (
         run_id varchar not null, number integer not null, received_at timestamptz not null, report json not null)`,
      `create table retrain_decisions (
         policy varchar not null, model varchar not null, monitor varchar not null,
         window_from timestamptz not null, window_to timestamptz not null, action varchar not null,
         reason varchar not null, detail varchar not null, run_id varchar, decided_at timestamptz not null)`,
    ],
  },
  {
    number: 4,
    name: "views over results, for queries",
    // What anybody who may read is shown of the service's own tables: nothing secret, and no document to be taken apart.
    statements: [
      "create schema results",
      `create view results.models as select model, view_name as view, created_at from main.collected_models`,
      `create view results.columns as
       select c.model, m.view_name as view, c.column_name as "column", c.name,
         case c.direction when 'in' then 'input' else 'output' end as role, c.type
       from main.model_columns c join main.collected_models m using (model) order by c.model, c.position`,
      `create view results.baselines as
       select model, version, created_at, row_count as rows, dataset_hash from main.baselines`,
      `create view results.windows as
       select model, monitor, version, window_from, window_to, row_count as rows, labelled, verdict, drifted as drifted_features,
         (dataset->>'checked')::integer as checked_features, reason, computed_at
       from main.window_results`,
      // One row: one feature in one window, with the statistic that decided and its threshold.
      `create view results.features as
       select model, monitor, version, window_from, window_to, feature, result->>'type' as type, verdict, reason,
         result->>'primary' as statistic,
         json_extract_string(result, '$.statistics.' || (result->>'primary') || '.value')::double as value,
         json_extract_string(result, '$.statistics.' || (result->>'primary') || '.threshold')::double as threshold,
         (result->>'p_value')::double as p_value, (result->>'effect')::double as effect,
         (result->>'minimum_effect')::double as minimum_effect,
         (result->'current'->>'count')::bigint as count, (result->'current'->>'missing')::bigint as missing,
         (result->'baseline'->>'mean')::double as baseline_mean, (result->'current'->>'mean')::double as mean,
         result->'cause'->>'kind' as cause
       from main.drift_results`,
      `create view results.alerts as
       select id, rule, model, monitor, state, severity, summary, since, last_window_to, acknowledged_at, acknowledged_by,
         acknowledged_why, resolved_at, owner
       from main.alerts`,
      `create view results.retrain_runs as
       select id, model, policy, status, reason, requested_at, updated_at, data_from, data_to from main.retrain_runs`,
    ],
  },
  {
    number: 5,
    name: "counts per hour, retention, weights",
    statements: [
      // One row: an hour of event time of a model, counted when load `load_number` was the last that had touched it.
      `create table hour_counts (
         model varchar not null, hour_start timestamptz not null, records bigint not null, labelled bigint not null,
         weight double not null, labelled_weight double not null, load_number bigint not null,
         primary key (model, hour_start))`,
      // Hours whose records are deleted, or about to be: their profiles and counts are final.
      `create table expired_hours (
         model varchar not null, hour_start timestamptz not null, expired_at timestamptz not null,
         primary key (model, hour_start))`,
      // How many records each counted one stands for: one row of profiles per weight that occurs in the hour.
      "alter table profiles add column weight double default 1",
    ],
  },
  {
    number: 8,
    name: "halves of captured calls",
    statements: [
      // One row: half of a call that waits for the other (request, response), or word that both have come (both).
      `create table capture_halves (
         key varchar not null, side varchar not null, model varchar not null, received_at timestamptz not null,
         bytes bigint not null, document json, body blob)`,
    ],
  },
  {
    number: 10,
    name: "registry of models",
    statements: [
      // last_version: the highest number ever given, so that none is given twice, whatever is deleted.
      `create table registered_models (
         name varchar not null, description varchar not null, tags json not null, created_at timestamptz not null,
         updated_at timestamptz not null, last_version integer not null, deleted_at timestamptz)`,
      `create table model_versions (
         model varchar not null, version integer not null, description varchar not null, tags json not null,
         created_at timestamptz not null, updated_at timestamptz not null, registered_by varchar, why varchar,
         properties json not null, lineage json not null, bytes bigint not null, sha256 varchar, main_file varchar,
         signature json, notes json not null, sample json, served_sha256 varchar, source varchar, idempotency_key varchar)`,
      // One row: a file of a version; its content is in the blob store under its hash.
      `create table model_files (
         model varchar not null, version integer not null, path varchar not null, bytes bigint not null,
         sha256 varchar not null)`,
      // Append-only. One row: an alias came to point to another version, or (version null) to none.
      `create table model_alias_changes (
         number bigint not null, model varchar not null, alias varchar not null, version integer, previous integer,
         changed_at timestamptz not null, changed_by varchar, why varchar)`,
    ],
  },
  {
    number: 11,
    name: "deployments",
    statements: [
      `create table deployments (
         name varchar primary key, model varchar not null, state varchar not null, spec json not null, host varchar not null,
         port integer not null, plan integer, created_at timestamptz not null, updated_at timestamptz not null)`,
      // One row: a plan of a deployment; only its outcome changes. repeats: the plan that a rollback goes back to.
      `create table deployment_plans (
         name varchar not null, number integer not null, kind varchar not null, why varchar, created_at timestamptz not null,
         outcome varchar not null, error varchar, repeats integer, spec json not null, document json not null)`,
    ],
  },
  {
    number: 12,
    name: "profiles of services",
    statements: [
      // One row: a profile of a service (how much CPU and memory it needs) as it was sent in.
      `create table profile_runs (
         id varchar primary key, name varchar not null, model varchar, version varchar, created_at timestamptz not null,
         stored_at timestamptz not null, grade varchar not null, verdict varchar not null, document json not null)`,
    ],
  },
  {
    number: 13,
    name: "views over the registry, for queries",
    statements: [
      `create view results.versions as
       select model, version::varchar as version, description, created_at, registered_by, why, tags, properties, lineage,
         bytes, sha256, main_file
       from main.model_versions`,
      // One row: from when to when (null: still) an alias pointed to a version.
      `create view results.aliases as
       select model, alias, version::varchar as version, changed_at as "from", "to", changed_by, why
       from (
         select *, lead(changed_at) over (partition by model, alias order by number) as "to"
         from main.model_alias_changes)
       where version is not null`,
    ],
  },
];
