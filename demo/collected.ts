import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import type { LabelledFlight } from "./model.ts";

/** A flight as Leeway collected it, with its label. */
export interface CollectedFlight extends LabelledFlight {
  readonly time: Date;
}

/** Downloads collected records as Parquet and reads the flights whose ending is known. */
export async function readCollected(
  url: string,
): Promise<{ readonly flights: CollectedFlight[]; readonly sha256: string }> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  const bytes = Buffer.from(await response.arrayBuffer());
  const folder = await mkdtemp(join(tmpdir(), "leeway-demo-training-"));
  try {
    const file = join(folder, "window.parquet");
    await writeFile(file, bytes);
    return { flights: await readFlights(file), sha256: createHash("sha256").update(bytes).digest("hex") };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function readFlights(file: string): Promise<CollectedFlight[]> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    const result = await connection.runAndReadAll(
      `select epoch_ms(time)::double, in_hour, in_weekday, in_distance, in_origin, in_destination, label
       from read_parquet($file) where label is not null order by time, record_id`,
      { file },
    );
    return result.getRows().map(([time, hour, weekday, distance, origin, destination, label]) => ({
      time: new Date(Number(time)),
      inputs: {
        hour: String(hour),
        weekday: String(weekday),
        distance: Number(distance),
        origin: String(origin),
        destination: String(destination),
      },
      late: label === true,
    }));
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
