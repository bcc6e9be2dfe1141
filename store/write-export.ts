import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { rename, rm, stat } from "node:fs/promises";
import type { Database } from "./database.ts";
import { literal } from "./identifier.ts";

/** A Parquet file as it was written. */
export interface WrittenExport {
  readonly rows: number;
  readonly bytes: number;
  /** Of the file, in hexadecimal. */
  readonly sha256: string;
  /** Types as DuckDB calls them. */
  readonly columns: readonly { readonly name: string; readonly type: string }[];
}

/** Writes what a statement selects to a Parquet file, which appears under its name only when it is whole. */
export async function writeExport(
  database: Database,
  { select, file }: { readonly select: string; readonly file: string },
): Promise<WrittenExport> {
  const partial = `${file}.partial`;
  const connection = await database.connect();
  try {
    const described = await connection.runAndReadAll(`describe ${select}`);
    const columns = described
      .getRowObjectsJS()
      .map(({ column_name: name, column_type: type }) => ({ name: String(name), type: String(type) }));
    const { rowsChanged: rows } = await connection.run(
      `copy (${select}) to ${literal(partial)} (format parquet, compression zstd)`,
    );
    const sha256 = await hashOf(partial);
    const { size: bytes } = await stat(partial);
    await rename(partial, file);
    return { rows, bytes, sha256, columns };
  } finally {
    connection.closeSync();
    await rm(partial, { force: true });
  }
}

async function hashOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(file)) hash.update(part as Buffer);
  return hash.digest("hex");
}
