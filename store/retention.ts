import type { Database, Transaction } from "./database.ts";
import { identifier } from "./identifier.ts";
import { type CollectedModel, modelNamed, readModels } from "./models.ts";
import { type KeyChunk, type LabelKeyChunk, visitLabelKeys, visitRecordKeys } from "./record-keys.ts";

/** Rows deleted in one transaction, about: while it lasts nothing is loaded. */
const PIECE_ROWS = 50_000;
/** Records say themselves when they happened: what claims to come from the future goes this much after its time of receipt. */
const CLOCK_TOLERANCE = "interval 1 day";

/** One piece that is gone: its rows, and their keys for deduplication to forget. */
export interface DeletedPiece {
  readonly records: readonly KeyChunk[];
  readonly labels: readonly LabelKeyChunk[];
}

/**
 * From here on what was counted of the hours before `time`, which is a full hour, is final.
 * @returns `behind`, with nothing done, when records or labels have come for one of them since it was counted.
 */
export async function sealBefore(
  tx: Transaction,
  {
    model,
    time,
    now,
    unless,
  }: { readonly model: string; readonly time: Date; readonly now: Date; readonly unless: "behind" | "never" },
): Promise<"sealed" | "behind"> {
  const open = `from touched_hours t anti join expired_hours e using (model, hour_start)
    where t.model = $model and t.hour_start < $time::timestamptz`;
  const parameters = { model, time: time.toISOString() };
  if (unless === "behind") {
    const [row] = await tx.all<{ behind: number }>(
      `select count(*) as behind from (select t.hour_start, t.load_number ${open}) h
       left join hour_counts c on c.model = $model and c.hour_start = h.hour_start
       where c.load_number is null or c.load_number < h.load_number`,
      parameters,
    );
    if (row && row.behind > 0) return "behind";
  }
  await tx.run(
    `insert or ignore into expired_hours select t.model, t.hour_start, $now::timestamptz ${open}`,
    { ...parameters, now: now.toISOString() },
  );
  return "sealed";
}

/** Those of the hours whose records are there, all of them. */
export async function withoutExpired(
  tx: Pick<Transaction, "all">,
  model: string,
  hours: readonly Date[],
): Promise<Date[]> {
  const expired = await tx.all<{ hour: Date }>(
    "select hour_start as hour from expired_hours where model = $model",
    { model },
  );
  const gone = new Set(expired.map(({ hour }) => hour.getTime()));
  return hours.filter((hour) => !gone.has(hour.getTime()));
}

/** First hour of a model's records that are still there, before `until`; undefined when there are none. */
export async function oldestRecord(
  database: Database,
  model: string,
  until: Date,
): Promise<Date | undefined> {
  const collected = await modelNamed(database, model);
  if (!collected) return undefined;
  const [row] = await database.all<{ first: Date | null }>(
    `select date_trunc('hour', min(time)) as first from ${identifier(collected.recordsTable)} where time < $until::timestamptz`,
    { until: until.toISOString() },
  );
  return row?.first ?? undefined;
}

/**
 * Deletes a model's records from before a time, with their labels, and labels as old that no record is there for. Each
 * piece goes whole or not at all, also when the process ends in the middle.
 */
export async function* deleteBefore(
  database: Database,
  model: string,
  time: Date,
  pieceRows = PIECE_ROWS,
): AsyncGenerator<DeletedPiece, void, void> {
  const collected = await modelNamed(database, model);
  if (!collected) return;
  for await (const condition of recordPieces(database, collected, time, pieceRows)) {
    yield await deletePiece(database, collected, condition);
  }
  for await (const condition of orphanPieces(database, collected, time, pieceRows)) {
    yield await deleteOrphans(database, collected, condition);
  }
}

/** Conditions on records that together hold for all that are too old, each for about a piece of them. */
async function* recordPieces(
  database: Database,
  { recordsTable }: CollectedModel,
  time: Date,
  pieceRows: number,
): AsyncGenerator<string> {
  const until = `timestamptz '${time.toISOString()}'`;
  const hours = await database.all<{ hour: Date; rows: number }>(
    `select date_trunc('hour', time) as hour, count(*) as rows from ${identifier(recordsTable)}
     where time < ${until} group by hour order by hour`,
  );
  for (const { first, last, rows } of stretches(hours, pieceRows)) {
    const at = (hour: Date) => `timestamptz '${hour.toISOString()}'`;
    yield* slices(`time >= ${at(first)} and time < ${at(last)} + interval 1 hour`, rows, pieceRows);
  }
  const received = `received_at < ${until} - ${CLOCK_TOLERANCE} and time >= ${until}`;
  const [early] = await database.all<{ rows: number }>(
    `select count(*) as rows from ${identifier(recordsTable)} where ${received}`,
  );
  yield* slices(received, early?.rows ?? 0, pieceRows);
}

async function* orphanPieces(
  database: Database,
  { recordsTable, labelsTable }: CollectedModel,
  time: Date,
  pieceRows: number,
): AsyncGenerator<string> {
  // By the newest one: as long as one label of a record is kept, all are.
  const old = `(key_high, key_low) in (
    select (l.key_high, l.key_low) from ${identifier(labelsTable)} l
    anti join ${identifier(recordsTable)} using (key_high, key_low)
    group by l.key_high, l.key_low having max(l.received_at) < timestamptz '${time.toISOString()}')`;
  const [found] = await database.all<{ rows: number }>(
    `select count(*) as rows from ${identifier(labelsTable)} where ${old}`,
  );
  yield* slices(old, found?.rows ?? 0, pieceRows);
}

/** Hours side by side that make one piece together; an hour that has more rows than that is one by itself. */
function stretches(
  hours: readonly { readonly hour: Date; readonly rows: number }[],
  pieceRows: number,
): { readonly first: Date; readonly last: Date; readonly rows: number }[] {
  const found: { first: Date; last: Date; rows: number }[] = [];
  for (const { hour, rows } of hours) {
    const last = found.at(-1);
    if (last && last.rows + rows <= pieceRows) {
      last.last = hour;
      last.rows += rows;
    } else found.push({ first: hour, last: hour, rows });
  }
  return found;
}

/** Cuts the rows of a condition by their key, which is a hash, into parts of one piece at most, about. */
function* slices(condition: string, rows: number, pieceRows: number): Generator<string> {
  const parts = Math.ceil(rows / pieceRows);
  for (let part = 0; part < parts; part++) {
    yield parts === 1 ? condition : `${condition} and abs(key_low::bigint) % ${parts} = ${part}`;
  }
}

async function deletePiece(
  database: Database,
  { recordsTable, labelsTable }: CollectedModel,
  condition: string,
): Promise<DeletedPiece> {
  const records = identifier(recordsTable);
  const ofRecords = `(key_high, key_low) in (select (key_high, key_low) from ${records} where ${condition})`;
  return database.transaction(async (tx) => {
    // Read beside the transaction, which is the only one that writes: both see the same rows.
    const keys = await keysOf(database, { recordsTable, labelsTable, condition, labels: ofRecords });
    await tx.run(`delete from ${identifier(labelsTable)} where ${ofRecords}`);
    await tx.run(`delete from ${records} where ${condition}`);
    return keys;
  });
}

async function deleteOrphans(
  database: Database,
  { recordsTable, labelsTable }: CollectedModel,
  condition: string,
): Promise<DeletedPiece> {
  return database.transaction(async (tx) => {
    const keys = await keysOf(database, { recordsTable, labelsTable, condition: "false", labels: condition });
    await tx.run(`delete from ${identifier(labelsTable)} where ${condition}`);
    return keys;
  });
}

async function keysOf(
  database: Database,
  {
    recordsTable,
    labelsTable,
    condition,
    labels: ofLabels,
  }: {
    readonly recordsTable: string;
    readonly labelsTable: string;
    readonly condition: string;
    readonly labels: string;
  },
): Promise<DeletedPiece> {
  const records: KeyChunk[] = [];
  const labels: LabelKeyChunk[] = [];
  await visitRecordKeys(database, recordsTable, (chunk) => records.push(copyOf(chunk)), condition);
  await visitLabelKeys(
    database,
    labelsTable,
    ({ rows, key, event, timed }) => {
      const areTimed = Array.from({ length: rows }, (_, row) => timed(row));
      labels.push({ rows, key: copyOf(key), event: copyOf(event), timed: (row) => areTimed[row] === true });
    },
    ofLabels,
  );
  return { records, labels };
}

/** A chunk's memory is DuckDB's and lasts until the next one. */
function copyOf({ rows, high, low }: KeyChunk): KeyChunk {
  return { rows, high: high.slice(), low: low.slice(0, rows) };
}

/**
 * Bytes of the database that hold something, about: of blocks that deleted rows share with others, the others' part.
 * The file itself does not shrink; whole blocks that are free are used again.
 */
export async function storedBytes(database: Database): Promise<number> {
  const [size] = await database.all<{ used: number }>(
    "select (used_blocks * block_size)::bigint as used from pragma_database_size()",
  );
  const total = { live: 0, physical: 0 };
  for (const { recordsTable, labelsTable } of await readModels(database)) {
    for (const table of [recordsTable, labelsTable]) {
      const [rows] = await database.all<{ live: number; physical: number }>(
        `select (select count(*) from ${identifier(table)}) as live, coalesce(sum(count), 0)::bigint as physical
         from pragma_storage_info($table) where column_name = 'key_low' and segment_type = 'INTEGER'`,
        { table },
      );
      total.live += rows?.live ?? 0;
      total.physical += rows?.physical ?? 0;
    }
  }
  const share = total.physical === 0 ? 1 : Math.min(1, total.live / total.physical);
  return Math.round((size?.used ?? 0) * share);
}
