import { randomBytes } from "node:crypto";
import { ServiceError } from "../schema/errors.ts";
import type { Database } from "../store/database.ts";
import { decodeFrame, type Frame } from "../store/frame.ts";
import type { FrameLoader } from "../store/frame-loader.ts";
import {
  type JournalPosition,
  readSegment,
  removeSegment,
  segmentNumbers,
  segmentSeed,
} from "../store/journal.ts";

/** Frames are loaded in parts of about this size. */
const PART_BYTES = 16 * 1024 * 1024;

/**
 * The secret that record ids are hashed with: kept in the database, and in each journal segment, whose frames hold
 * hashes made with it. A new database beside an old journal takes the journal's.
 * @throws ServiceError `store-damaged` when the journal belongs to another database.
 */
export async function settleSeed(database: Database, journalFolder: string): Promise<Buffer> {
  const [row] = await database.all<{ value: string }>(
    "select value from collector_settings where name = 'hash_seed'",
  );
  let seed: Buffer | undefined = row && Buffer.from(row.value, "hex");
  for (const segment of await segmentNumbers(journalFolder)) {
    const own = await segmentSeed(journalFolder, segment);
    if (own && seed && !own.equals(seed)) {
      throw new ServiceError(
        "store-damaged",
        `journal segment ${segment} in ${journalFolder} was written beside another database: put that one back, or move the folder away and lose what it holds`,
      );
    }
    seed ??= own;
  }
  const settled = seed ?? randomBytes(16);
  if (!row) {
    await database.transaction((tx) =>
      tx.run("insert into collector_settings values ('hash_seed', $seed)", { seed: settled.toString("hex") }),
    );
  }
  return settled;
}

/**
 * Loads what an earlier process had acknowledged and not yet loaded, and removes its journal.
 * @returns the largest segment number ever used.
 */
export async function recoverJournal(options: {
  readonly database: Database;
  readonly loader: FrameLoader;
  readonly journalFolder: string;
  readonly log: (message: string, fields: object) => void;
}): Promise<number> {
  const { database, loader, journalFolder, log } = options;
  const rows = await database.all<{ segment: number; loaded: number }>(
    "select segment, loaded_bytes as loaded from journal_segments",
  );
  // A segment before the one noted last is loaded whole: the note moves on in order.
  const noted = rows.reduce((last, row) => (row.segment > last.segment ? row : last), {
    segment: 0,
    loaded: 0,
  });
  const segments = await segmentNumbers(journalFolder);
  let recovered = 0;
  for (const segment of segments) {
    if (segment >= noted.segment) {
      const from = segment === noted.segment ? noted.loaded : 0;
      recovered += await loadSegment(loader, journalFolder, segment, from, (bytes) =>
        log("a write to the journal was interrupted; it had not been acknowledged", { segment, bytes }),
      );
    }
    await removeSegment(journalFolder, segment);
  }
  if (recovered > 0) log("records were recovered from the journal", { records: recovered });
  return Math.max(noted.segment, ...segments);
}

async function loadSegment(
  loader: FrameLoader,
  folder: string,
  segment: number,
  from: number,
  torn: (bytes: number) => void,
): Promise<number> {
  let frames: Frame[] = [];
  let bytes = 0;
  let rows = 0;
  let position: JournalPosition | undefined;
  const load = async () => {
    if (position) await loader.load(frames, position);
    frames = [];
    bytes = 0;
  };
  for await (const entry of readSegment(folder, segment, from, torn)) {
    const frame = decodeFrame(entry.bytes);
    frames.push(frame);
    rows += frame.rows;
    bytes += entry.bytes.length;
    position = entry.position;
    if (bytes >= PART_BYTES) await load();
  }
  if (frames.length > 0) await load();
  return rows;
}
