import type { DuckDBConnection } from "@duckdb/node-api";
import type { Database } from "./database.ts";
import { told, tooMuchMemory } from "./query-problems.ts";

const LOOK_EVERY_MS = 50;
/** What ingest and monitors may come to take beside the query, outside the database's own count. */
const OTHERS_BYTES = 300_000_000;

/** How long a query waits for one that took too much to be gone. */
const WAIT_FOR_OTHERS_MS = 5_000;
/** What a query may leave behind for the next to use. */
const LEFT_BYTES = 50_000_000;

/**
 * How much the process has grown since no query ran: part of what queries take (states of aggregates, plans) is in no
 * count of the database's.
 */
export class ProcessGrowth {
  #running = 0;
  #calmBytes = 0;
  /** Queries that took too much and are not gone yet: what they hold would be counted against the next one. */
  tooLarge = 0;

  /** @param cachedBytes - Of tables: they come and go with the work of others. */
  begin(cachedBytes: number): void {
    if (this.#running === 0) this.#calmBytes = nativeBytes() - cachedBytes;
    this.#running += 1;
  }

  bytes(cachedBytes: number): number {
    return nativeBytes() - cachedBytes - this.#calmBytes;
  }

  end(): void {
    this.#running -= 1;
  }
}

interface QueryWatch {
  /** To be called when the query has ended. Resolves when what it held is given back; the connection is free then. */
  end(): Promise<void>;
  /** Resolves a moment after that. */
  readonly ended: Promise<void>;
}

/**
 * Looks after a query while it runs: ends it when it takes too much memory, and interrupts it for as long as it does not
 * stop, because an interrupt that comes between two steps is forgotten.
 */
export async function watchQuery({
  connection,
  database,
  pause,
  growth,
  stop,
  memoryBytes,
  look,
}: {
  readonly connection: DuckDBConnection;
  readonly database: Database;
  readonly pause: (ms: number) => Promise<unknown>;
  readonly growth: ProcessGrowth;
  readonly stop: AbortController;
  readonly memoryBytes: number;
  /** A further look; what it throws ends the query. */
  readonly look: () => Promise<void>;
}): Promise<QueryWatch> {
  for (
    let ms = 0;
    growth.tooLarge > 0 && ms < WAIT_FOR_OTHERS_MS && !stop.signal.aborted;
    ms += LOOK_EVERY_MS
  ) {
    await pause(LOOK_EVERY_MS);
  }
  const own = await database.connect(); // the shared one may be busy
  const before = await memoryOf(own);
  growth.begin(before.cached);
  let cached = before.cached;
  let state: "running" | "too-large" | "ended" = "running";
  const watch = async () => {
    while (state === "running") {
      if (stop.signal.aborted) connection.interrupt();
      else {
        await look();
        const now = await memoryOf(own);
        cached = now.cached;
        const taken = Math.max(now.working - before.working, growth.bytes(cached) - OTHERS_BYTES);
        if (taken > memoryBytes) {
          state = "too-large";
          growth.tooLarge += 1;
          throw tooMuchMemory(memoryBytes);
        }
      }
      await pause(LOOK_EVERY_MS);
    }
  };
  const ended = watch()
    .catch(async (error: unknown) => {
      stop.abort(told(error)); // to look takes memory too, and there may be none just when the query asks for all of it
      while (state !== "ended") {
        connection.interrupt();
        await pause(LOOK_EVERY_MS);
      }
    })
    .finally(() => own.closeSync());
  return {
    ended,
    end: async () => {
      const reached = state;
      state = "ended";
      if (growth.bytes(cached) > LEFT_BYTES) await giveBack(connection);
      if (reached === "too-large") growth.tooLarge -= 1;
      growth.end();
    },
  };
}

/** Setting the limit to what it is makes the database hand freed memory back at once, not when it has been idle. */
async function giveBack(connection: DuckDBConnection): Promise<void> {
  await connection.run("set memory_limit = current_setting('memory_limit')").catch(() => undefined); // it is not the query's fault
}

/** What the process holds outside JavaScript: the text of an answer, and what is not collected of it yet, has its own limit. */
function nativeBytes(): number {
  const { rss, heapTotal, external } = process.memoryUsage();
  return rss - heapTotal - external;
}

/** Bytes that hold tables (they can be let go at any time) and bytes that queries work with. */
async function memoryOf(
  connection: DuckDBConnection,
): Promise<{ readonly cached: number; readonly working: number }> {
  const result = await connection.runAndReadAll(
    `select coalesce(sum(memory_usage_bytes) filter (tag in ('BASE_TABLE', 'METADATA')), 0)::double,
       coalesce(sum(memory_usage_bytes) filter (tag not in ('BASE_TABLE', 'METADATA')), 0)::double
     from duckdb_memory()`,
  );
  const [cached, working] = result.getRowsJS()[0] ?? [];
  return { cached: Number(cached), working: Number(working) };
}
