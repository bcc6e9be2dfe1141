import type { DuckDBConnection, DuckDBPendingResult } from "@duckdb/node-api";
import duckdb from "@duckdb/node-bindings";

const LOOK_EVERY_MS = 1;

/**
 * Runs a statement on DuckDB's own threads and looks now and then whether it is done.
 *
 * The thread that waits for a statement in the usual way asks for work without a pause for as long as the others have
 * all there is, which for reading one file is nearly always: that costs as much processor time as the work itself.
 * Needs a DuckDB of two threads or more: with one, the caller's is the one.
 */
export async function runOnWorkers(
  connection: DuckDBConnection,
  sql: string,
  pause: (ms: number) => Promise<void>,
): Promise<void> {
  const statement = await connection.prepare(sql);
  try {
    const pending = statement.start();
    while (isUnderWay(pending)) await pause(LOOK_EVERY_MS);
    await pending.getResult();
  } finally {
    statement.destroySync();
  }
}

/** The library's own looking (`runTask`) would do a share of the work on the thread of the event loop. */
function isUnderWay(pending: DuckDBPendingResult): boolean {
  // biome-ignore lint/complexity/useLiteralKeys: the library keeps the handle to itself, and has no other way to look
  const state = duckdb.pending_execute_check_state(pending["pending_result"]);
  return state !== duckdb.PendingState.ERROR && !duckdb.pending_execution_is_finished(state);
}
