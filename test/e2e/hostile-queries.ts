/** What is asked, and what the refusal has to say. */
export type HostileQuery = readonly [sql: string, says: RegExp];

const ONLY_SELECT = /only a SELECT is taken/;
const NAMES_VIEWS = /models are .*results are results\.alerts/;
const LISTED = /docs\/sql\.md lists those that are/;
const TOO_LONG = /more than 64 times as long .*put the parts together where you use them/;
const TOO_MANY_TABLES = /more than 64 tables .*join fewer/;

const nested = (start: string, depth: number, wrap: (inner: string) => string): string => {
  let sql = start;
  for (let i = 0; i < depth; i++) sql = wrap(sql);
  return sql;
};

/** Queries that change, reach outside, show what is not theirs, or trick the reader of the statement. */
export const reachingQueries: readonly HostileQuery[] = [
  // Files and the network
  ["select * from '/etc/passwd'", NAMES_VIEWS],
  ['select * from "/etc/passwd"', NAMES_VIEWS],
  ["select * from 'data/*.parquet'", NAMES_VIEWS],
  ["select * from read_text('/etc/passwd')", NAMES_VIEWS],
  ["select * from read_blob('/proc/self/environ')", NAMES_VIEWS],
  ["select * from read_csv('/etc/passwd')", NAMES_VIEWS],
  ["select * from READ_CSV_AUTO('/etc/passwd')", NAMES_VIEWS],
  ["select * from read_json_auto('http://127.0.0.1:1/')", NAMES_VIEWS],
  ["select * from read_parquet('s3://bucket/x')", NAMES_VIEWS],
  ["select * from parquet_metadata('/tmp/x')", NAMES_VIEWS],
  ["select * from sniff_csv('/etc/passwd')", NAMES_VIEWS],
  ["select * from glob('/*')", NAMES_VIEWS],
  ["select (select content from read_text('/etc/passwd'))", NAMES_VIEWS],
  ["select * from churn, lateral (select * from read_text(record_id))", NAMES_VIEWS],
  ["with x as (from read_text('/etc/passwd')) select 1", NAMES_VIEWS],
  ["copy (select 1) to '/tmp/leeway-stolen.csv'", ONLY_SELECT],
  ["copy churn from '/etc/passwd'", ONLY_SELECT],
  ["export database '/tmp/leeway-stolen'", ONLY_SELECT],
  ["import database '/tmp/leeway-stolen'", ONLY_SELECT],
  ["attach '/tmp/other.duckdb' as other", ONLY_SELECT],
  ["install httpfs", ONLY_SELECT],
  ["load '/tmp/x.duckdb_extension'", ONLY_SELECT],
  // Settings, secrets and the service's own tables
  ["select getenv('HOME')", LISTED],
  ["select system.main.getenv('HOME')", LISTED],
  ["select \"main\".GeTeNv('HOME')", LISTED],
  ["select current_setting('memory_limit')", LISTED],
  ["select * from duckdb_settings()", NAMES_VIEWS],
  ["select * from duckdb_secrets()", NAMES_VIEWS],
  ["select * from duckdb_databases()", NAMES_VIEWS],
  ["select * from duckdb_logs()", NAMES_VIEWS],
  ["select * from pragma_database_list()", NAMES_VIEWS],
  ["select * from which_secret('a', 'b')", NAMES_VIEWS],
  ["select * from information_schema.tables", NAMES_VIEWS],
  ["select * from pg_catalog.pg_tables", NAMES_VIEWS],
  ["select * from sqlite_master", NAMES_VIEWS],
  ["select * from main.records_churn", NAMES_VIEWS],
  ["select * from main.collected_models", NAMES_VIEWS],
  ["select * from leeway.main.outbox", NAMES_VIEWS],
  ["with churn as (select * from main.records_churn) select * from churn", NAMES_VIEWS],
  ["select * replace ((select max(record_id) from main.records_churn) as record_id) from churn", NAMES_VIEWS],
  ["select 1 limit (select count(*) from main.outbox)", NAMES_VIEWS],
  ["select 1 order by (select count(*) from main.outbox)", NAMES_VIEWS],
  ["select count(*) filter ((select true from main.outbox)) from churn", NAMES_VIEWS],
  ["select sum(in_age) over (order by (select 1 from main.outbox)) from churn", NAMES_VIEWS],
  ["select * from churn qualify (select true from main.outbox)", NAMES_VIEWS],
  ["select * from churn group by grouping sets (((select 1 from main.outbox)))", NAMES_VIEWS],
  ["select * from churn union all select * from main.records_churn", NAMES_VIEWS],
  ["from (summarize main.outbox)", NAMES_VIEWS],
  ["describe main.outbox", NAMES_VIEWS],
  ["select * from windows.churn('2020-01-01'::timestamptz, now())", NAMES_VIEWS],
  ["select * from churn at (version => 1)", /no earlier versions: use a condition on received_at/],
  ["show tables", /select \* from results\.models lists the models/],
  ["show all", /select \* from results\.models lists the models/],
  ["pragma database_list", ONLY_SELECT],
  ["call pragma_version()", ONLY_SELECT],
  ["set memory_limit = '100GB'", ONLY_SELECT],
  ["reset memory_limit", ONLY_SELECT],
  ["use main", ONLY_SELECT],
  ["set variable x = 1", ONLY_SELECT],
  ["explain select 1", ONLY_SELECT],
  // SQL out of SQL
  ["select * from query('select 1')", NAMES_VIEWS],
  ["select * from query_table('churn')", NAMES_VIEWS],
  ["select * from json_execute_serialized_sql('{}')", NAMES_VIEWS],
  ["select json_serialize_sql('select 1')", LISTED],
  ["select nextval('x')", LISTED],
  ["select write_log('x')", LISTED],
  ["prepare p as select 1", ONLY_SELECT],
  ["execute p", ONLY_SELECT],
  ["select $1", /no parameters: write the values into it/],
  ["create macro m() as 1", ONLY_SELECT],
  ["create temp table x as select 1", ONLY_SELECT],
  ["create view views.x as select 1", ONLY_SELECT],
  // Changes
  ["insert into main.records_churn select * from main.records_churn", ONLY_SELECT],
  ["update main.records_churn set status = 500", ONLY_SELECT],
  ["delete from main.records_churn", ONLY_SELECT],
  ["drop table main.records_churn", ONLY_SELECT],
  ["alter table main.records_churn add column x int", ONLY_SELECT],
  ["truncate main.records_churn", ONLY_SELECT],
  ["with x as (delete from main.records_churn returning *) select * from x", /A CTE needs a SELECT/],
  ["begin", ONLY_SELECT],
  ["rollback", ONLY_SELECT],
  ["checkpoint", ONLY_SELECT],
  ["vacuum", ONLY_SELECT],
  ["detach leeway", ONLY_SELECT],
  ["from force_checkpoint()", NAMES_VIEWS],
  // More than one statement, comments, odd characters
  ["select 1; select 2", /one statement is taken at a time, not 2/],
  ["select 1; drop table main.records_churn", ONLY_SELECT],
  ["select 1 /* a /* b */ */; drop table main.records_churn", ONLY_SELECT],
  ["select 1 -- '\n; drop view views.churn", ONLY_SELECT],
  ["select ';' || $$;$$; delete from main.records_churn", ONLY_SELECT],
  ["/**/drop/**/table/**/main.records_churn", ONLY_SELECT],
  ["\u0455elect 1", /syntax error/],
  ["select\u3000*\u3000from\u3000main.records_churn", NAMES_VIEWS],
  ["select 1\0; drop table main.records_churn", /character 0/],
  ["select 1 /* unclosed", /unterminated/],
  ["-- nothing", /no statement/],
  [" ", /no statement/],
  [`select 1${" ".repeat(10_000)}`, /10008 characters, and 10000 is the most/],
];

/** Queries that take whatever they get of time or memory, within one call of the database: refused before they run. */
export const growingQueries: readonly HostileQuery[] = [
  ["select repeat('x', 1000000000)", /let what reads the answer lay it out/],
  ["select lpad('x', 1000000000, 'y')", /let what reads the answer lay it out/],
  ["select format('{:>1000000000}', 1)", /let what reads the answer lay it out/],
  ["select list_aggregate(range(1000000000), 'sum')", /use list_sum/],
  ["select list_transform([1, 2], x -> x || x)", /unnest the list/],
  ["select unnest(range(1000000000000))", /select \* from range\(10\)/],
  ["select * from repeat('x', 1000000000)", NAMES_VIEWS],
  ["select * from repeat_row(1, num_rows = 1000000000000)", NAMES_VIEWS],
  [
    "with recursive r as (select 1 as n union all select n + 1 from r) select * from r",
    /join the view to itself/,
  ],
  [nested("'a'", 40, (inner) => `[${inner}]::varchar`).replace(/^/, "select "), TOO_LONG],
  [
    nested("record_id", 40, (inner) => `[${inner}]::json::varchar`)
      .replace(/$/, " from churn")
      .replace(/^/, "select "),
    TOO_LONG,
  ],
  [`select 'a'${"::blob::bit::varchar".repeat(14)}`, /a cast to BIT is not taken/],
  [`select '${"9".repeat(4_000)}'::bignum * '${"9".repeat(4_000)}'::bignum`, /a cast to BIGNUM is not taken/],
  [
    `select length(x) from (${nested("select record_id as x from churn", 40, (inner) => `select x || x as x from (${inner})`)})`,
    TOO_LONG,
  ],
  [
    `select ${Array.from({ length: 40 }, (_, i) => `a${i} || a${i} as a${i + 1}`).join(", ")} from (select record_id as a0 from churn)`,
    TOO_LONG,
  ],
  [
    `with ${Array.from({ length: 12 }, (_, i) => `c${i} as (select ${i === 0 ? "record_id as x from churn" : `x || x as x from c${i - 1}`})`).join(", ")} select * from c11`,
    TOO_LONG,
  ],
  [
    `select replace(replace(replace(record_id, 'r', '${"a".repeat(16)}'), 'a', '${"b".repeat(16)}'), 'b', 'cc') from churn`,
    TOO_LONG,
  ],
  [`select replace(record_id, 'r', '${"a".repeat(17)}') from churn`, /at most 16 characters/],
  ["select json_extract(record_id, '$..*') from churn", /written out and without "\.\."/],
  [
    `select json_extract(record_id, [${Array.from({ length: 900 }, () => "'$'").join(",")}]) from churn`,
    /written out/,
  ],
  [
    `with a0 as (select 1 as x), ${Array.from({ length: 40 }, (_, i) => `a${i + 1} as not materialized (select p.x from a${i} p, a${i} q)`).join(", ")} select * from a40`,
    TOO_MANY_TABLES,
  ],
  [`select count(*) from ${Array.from({ length: 65 }, (_, i) => `churn c${i}`).join(", ")}`, TOO_MANY_TABLES],
  [
    `select count(*) from churn group by cube (${Array.from({ length: 12 }, (_, i) => `in_age + ${i}`).join(", ")})`,
    /groups in 4096 ways/,
  ],
  [`select ${"not ".repeat(2_000)} true`, /nested more than 1,000 deep/],
  [`select ${"[".repeat(4_000)}1${"]".repeat(4_000)}`, /nested more than 1,000 deep/],
  [`select null::${"struct(a ".repeat(900)}int${")".repeat(900)}`, /nested too deep/],
  [`select ${"9".repeat(5_000)}`, /larger than 1\.8e308/],
  ["select regexp_matches(record_id, '((a{1000}){1000}){1000}') from churn", /invalid repetition size/],
  [
    "select map(list(range), list(range)) from range(1000000)",
    /argument 1 of "map" has to be a list written out/,
  ],
  [
    "select list_has_all([1], list(range)) from range(1000000)",
    /argument 2 of "list_has_all" has to be a list/,
  ],
  ["select list(range) <@ [1] from range(1000000)", /argument 1 of "<@" has to be a list written out/],
  ["select list_intersect([1], [2])", /unnest both lists and join them/],
  ["select null::int[100000] from churn", /a cast|needs more memory/],
];

/** Queries that run into a limit of time, memory, rows or length. */
export const heavyQueries: readonly (readonly [sql: string, status: number, says: RegExp])[] = [
  [
    "select count(*) from range(1000000000000) a, range(10000000) b",
    504,
    /took longer than 0\.5 s: .*time_limit_seconds/,
  ],
  ["select count(*) from churn a, churn b, churn c, churn d, churn e", 504, /took longer than 0.5 s/],
  ["select * from churn a, churn b, churn c order by random()", 413, /of memory: narrow it/],
  ["select count(distinct range) from range(1000000000000)", 413, /of memory: narrow it/],
  ["select string_agg(a.record_id, '') from churn a, churn b, churn c", 413, /of memory: narrow it/],
  ["select mode(range) from range(1000000000000)", 413, /of memory: narrow it/],
];
