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
         mean double, sum_squares double, minimum double, maximum double,
         counts bigint[], categories json)`,
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
];
