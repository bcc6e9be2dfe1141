import type { Database } from "./database.ts";

/** The largest weight among rows of which a sample was stored; undefined when each stands for itself. */
export async function mostWeight(database: Database, source: string): Promise<number | undefined> {
  const [row] = await database.all<{ most: number | null; least: number | null }>(
    `select max(weight) as most, min(weight) as least from ${source}`,
  );
  return row && row.most !== null && (row.most > 1 || row.least !== row.most) ? row.most : undefined;
}

/**
 * A condition that holds for each row with a probability in proportion to its weight, all rows of an id alike: what is left
 * stands for as many rows each and needs no weights.
 */
export function thinned(most: number | undefined): string {
  return most === undefined
    ? "true"
    : `(hash(record_id) >> 32)::double / 4294967296 < weight / ${most}::double`;
}
