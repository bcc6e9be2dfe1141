import { fileURLToPath } from "node:url";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import type { FlightInputs } from "./model.ts";
import { timeZoneOf } from "./time-zones.ts";

/** One flight, as the demo replays it. */
export interface Flight {
  readonly id: string;
  /** When it left, in UTC. */
  readonly time: Date;
  readonly inputs: FlightInputs;
  /** It arrived more than 15 minutes late. */
  readonly late: boolean;
}

export interface FlightSource {
  /** Flights that left within `[from, to)`, in order of time. */
  between(from: Date, to: Date): Promise<Flight[]>;
  count(from: Date, to: Date): Promise<number>;
  close(): void;
}

const SEED = 2001;
/** A delay below this is an error of the file (three rows: -212, -953 and -1116 minutes). */
const LEAST_DELAY_MINUTES = -120;

/**
 * Opens the flights of January to June 2001 from the npm package vega-datasets (US Bureau of Transportation
 * Statistics). Their times are those of the airport's clock; here they become UTC.
 *
 * @param every - 1 for all three million flights, 16 for about one in sixteen, chosen by a hash of the row number.
 */
export async function openFlights({ every }: { readonly every: number }): Promise<FlightSource> {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  await connection.run("set timezone = 'UTC'");
  const file = (name: string) =>
    fileURLToPath(new URL(`../data/${name}`, import.meta.resolve("vega-datasets")));
  await addTimeZones(connection, file("airports.csv"));
  await connection.run(
    `create table flights as
     select file_row_number as number, timezone(zone, date) as time, delay > 15 as late, distance::double as distance,
       origin, destination
     from (select * from read_parquet($file, file_row_number = true)
           where ${hashOf("file_row_number")} % ${every} = 0 and delay >= ${LEAST_DELAY_MINUTES})
     join zones on iata = origin order by 2, 1`,
    { file: file("flights-3m.parquet") },
  );
  return {
    between: (from, to) => readFlights(connection, from, to),
    count: async (from, to) => {
      const result = await connection.runAndReadAll(
        `select count(*)::double from flights where ${within(from, to)}`,
      );
      return Number(result.value(0, 0));
    },
    close: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

/** A well-mixed 32-bit hash of a row number and the seed, spelt out so that every DuckDB gives the same sample. */
function hashOf(column: string): string {
  const mix = (value: string, multiplier: number) => `((${value})::ubigint * ${multiplier} % 4294967296)`;
  const first = mix(`${column} + ${SEED}`, 2_654_435_761);
  const second = mix(`xor(${first}, ${first} >> 15)`, 2_246_822_519);
  return `xor(${second}, ${second} >> 13)`;
}

async function addTimeZones(connection: DuckDBConnection, file: string): Promise<void> {
  const airports = await connection.runAndReadAll("select iata, state from read_csv($file)", { file });
  await connection.run("create table zones (iata varchar primary key, zone varchar not null)");
  const appender = await connection.createAppender("zones");
  for (const [iata, state] of airports.getRows()) {
    const zone = timeZoneOf({ iata: String(iata), state: String(state) });
    if (zone === undefined) continue; // no flight of 2001 left from there
    appender.appendVarchar(String(iata));
    appender.appendVarchar(zone);
    appender.endRow();
  }
  appender.closeSync();
}

async function readFlights(connection: DuckDBConnection, from: Date, to: Date): Promise<Flight[]> {
  const result = await connection.runAndReadAll(
    `select number::double, epoch_ms(time)::double, strftime(time, '%Hh'), strftime(time, '%a'), distance, origin,
       destination, late
     from flights where ${within(from, to)} order by time, number`,
  );
  return result.getRows().map(([number, time, hour, weekday, distance, origin, destination, late]) => ({
    id: `flight-${number}`,
    time: new Date(Number(time)),
    inputs: {
      hour: String(hour),
      weekday: String(weekday),
      distance: Number(distance),
      origin: String(origin),
      destination: String(destination),
    },
    late: late === true,
  }));
}

function within(from: Date, to: Date): string {
  return `time >= '${from.toISOString()}'::timestamptz and time < '${to.toISOString()}'::timestamptz`;
}
