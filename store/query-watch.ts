import type { DuckDBConnection } from "@duckdb/node-api";
import { ServiceError } from "../schema/errors.ts";
import type { Database } from "./database.ts";
import { inMegabytes } from "./query-limits.ts";

const LOOK_EVERY_MS = 50;
/** What ingest and monitors may come to take beside the query, outside the database's own count. */
const OTHERS_BYTES = 300_000_000;

interface QueryWatch {
  /** Says that the connection is not to be touched any more. */
  end(): void;
  /** Resolves a moment after that. */
  readonly ended: Promise<void>;
}

/**
 * Looks after a query while it runs: ends it when it takes too much memory, and interrupts it for as long as it does not
 * stop, because an interrupt that comes between two steps is forgotten.
 */
export function watchQuery({
  connection,
  database,
  pause,
  stop,
  memoryBytes,
  look,
}: {
  readonly connection: DuckDBConnection;
  readonly database: Database;
  readonly pause: (ms: number) => Promise<unknown>;
  readonly stop: AbortController;
  readonly memoryBytes: number;
  /** A further look; what it throws ends the query. */
  readonly look: () => Promise<void>;
}): QueryWatch {
  let state: "running" | "ended" = "running";
  const watching = (async () => {
    const own = await database.connect(); // the shared one may be busy
    try {
      const before = await memoryOf(own);
      const processBefore = process.memoryUsage.rss() - before.cached;
      while (state === "running") {
        if (stop.signal.aborted) connection.interrupt();
        else {
          await look();
          const now = await memoryOf(own);
          const working = now.working - before.working;
          const process_ = process.memoryUsage.rss() - now.cached - processBefore - OTHERS_BYTES;
          if (Math.max(working, process_) > memoryBytes) throw tooMuchMemory(memoryBytes);
        }
        await pause(LOOK_EVERY_MS);
      }
    } finally {
      own.closeSync();
    }
  })().catch(async (error: unknown) => {
    stop.abort(error);
    while (state === "running") {
      connection.interrupt();
      await pause(LOOK_EVERY_MS);
    }
  });
  return {
    ended: watching,
    end: () => {
      state = "ended";
    },
  };
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

function tooMuchMemory(memoryBytes: number): ServiceError {
  return new ServiceError(
    "too-large",
    `the query took more than ${inMegabytes(memoryBytes)} of memory: narrow it (a condition on time, fewer columns, fewer groups), or let it run on a server with a higher memory_limit`,
  );
}
