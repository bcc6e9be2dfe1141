import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { type DuckDBConnection, DuckDBInstance, type DuckDBValue } from "@duckdb/node-api";
import { ServiceError } from "../schema/errors.ts";
import { literal } from "./identifier.ts";
import { runOnWorkers } from "./load-statement.ts";
import { migrations } from "./migrations.ts";

/**
 * What a checkpoint may do beside writing: it puts neighbouring pieces of a table together, and every load leaves a small
 * one behind, so that without a bound each checkpoint would write the whole table again.
 */
const VACUUM_TASKS = 2;
const ALL_VACUUM_TASKS = 1_000;

/** Bound values; a name in the SQL is `$name`. */
export type Parameters = Readonly<Record<string, DuckDBValue>>;

/** What a unit of work may do inside a transaction. */
export interface Transaction {
  /** Without parameters `sql` may be several statements. */
  run(sql: string, parameters?: Parameters): Promise<number>;
  /** As `run`, for a statement that reads a file: it takes a little longer to return, and far less of the processor. */
  load(sql: string): Promise<void>;
  all<Row>(sql: string, parameters?: Parameters): Promise<Row[]>;
}

/**
 * The one DuckDB file. Reads go to a connection of their own and see committed data only; writes are
 * taken one after the other, each in a transaction.
 */
export class Database {
  readonly #instance: DuckDBInstance;
  readonly #reader: DuckDBConnection;
  readonly #writer: DuckDBConnection;
  readonly #pause: ((ms: number) => Promise<void>) | undefined;
  readonly #underWay = new Set<Promise<unknown>>();
  #lastWrite: Promise<unknown> = Promise.resolve();
  #state: "open" | "closed" = "open";

  private constructor(
    instance: DuckDBInstance,
    reader: DuckDBConnection,
    writer: DuckDBConnection,
    pause: ((ms: number) => Promise<void>) | undefined,
  ) {
    this.#instance = instance;
    this.#reader = reader;
    this.#writer = writer;
    this.#pause = pause;
  }

  /**
   * Opens (or makes) the file at `path` and brings it to the newest layout.
   * @throws ServiceError `store-locked`, `store-damaged` or `store-too-new`.
   */
  static async open(
    path: string,
    options: {
      readonly memoryLimit?: string;
      readonly threads?: number;
      /** Folders whose files SQL may read and write; when given, there are no others, and no extensions either. */
      readonly folders?: readonly string[];
      /** With it, loads leave the processor to others while they wait. */
      readonly pause?: (ms: number) => Promise<void>;
    } = {},
  ): Promise<Database> {
    if (path !== ":memory:") mkdirSync(dirname(path), { recursive: true });
    const instance = await openInstance(path, {
      memory_limit: options.memoryLimit ?? "200MB",
      checkpoint_threshold: "64MB",
      max_vacuum_tasks: String(VACUUM_TASKS),
      ...(options.threads === undefined ? {} : { threads: String(options.threads) }),
    });
    const reader = await instance.connect();
    const writer = await instance.connect();
    const [threads] = await rows<{ threads: number }>(
      reader,
      "select current_setting('threads') as threads",
      {},
    );
    const pause = (threads?.threads ?? 1) > 1 ? options.pause : undefined;
    const database = new Database(instance, reader, writer, pause);
    try {
      for (const connection of [reader, writer]) await connection.run("set timezone = 'UTC'");
      await migrate(database, path);
      if (options.folders) {
        await writer.run(`set allowed_directories = [${options.folders.map(literal).join(", ")}]`);
        await writer.run("set enable_external_access = false"); // cannot be taken back while the database is open
      }
    } catch (error) {
      await database.close();
      throw error;
    }
    return database;
  }

  /** Rows as plain objects: BIGINT as number where safe, TIMESTAMPTZ as Date, JSON as text, lists as arrays. */
  async all<Row>(sql: string, parameters: Parameters = {}): Promise<Row[]> {
    return this.#watched(() => rows<Row>(this.#reader, sql, parameters));
  }

  /** Runs `work` alone and commits it whole, or rolls it back and rethrows. */
  transaction<T>(work: (tx: Transaction) => Promise<T>): Promise<T> {
    if (this.#state === "closed") return Promise.reject(closed());
    const turn = this.#lastWrite.then(async () => {
      await this.#writer.run("begin");
      try {
        const result = await work({
          run: async (sql, parameters) =>
            (await (parameters ? this.#writer.run(sql, { ...parameters }) : this.#writer.run(sql)))
              .rowsChanged,
          load: async (sql) => {
            if (this.#pause) await runOnWorkers(this.#writer, sql, this.#pause);
            else await this.#writer.run(sql);
          },
          all: (sql, parameters = {}) => rows(this.#writer, sql, parameters),
        });
        await this.#writer.run("commit");
        return result;
      } catch (error) {
        await this.#writer.run("rollback").catch(() => undefined); // a failed commit has rolled back already
        throw error;
      }
    });
    this.#lastWrite = turn.catch(() => undefined);
    return turn;
  }

  /** Writes the log into the file, and frees what deleted rows took in it. */
  checkpoint(): Promise<void> {
    if (this.#state === "closed") return Promise.reject(closed());
    const turn = this.#lastWrite.then(async () => {
      await this.#writer.run(`set max_vacuum_tasks = ${ALL_VACUUM_TASKS}`);
      try {
        await this.#writer.run("checkpoint");
      } finally {
        await this.#writer.run(`set max_vacuum_tasks = ${VACUUM_TASKS}`);
      }
    });
    this.#lastWrite = turn.catch(() => undefined);
    return turn;
  }

  /** A further connection, for work that must not hold up the shared reader. The caller closes it. */
  async connect(): Promise<DuckDBConnection> {
    return this.#watched(async () => {
      const connection = await this.#instance.connect();
      await connection.run("set timezone = 'UTC'");
      return connection;
    });
  }

  /** Waits for what is under way, writes everything into the one file and lets it go. What comes later is refused. */
  async close(): Promise<void> {
    if (this.#state === "closed") return;
    this.#state = "closed";
    await this.#lastWrite;
    await Promise.allSettled(this.#underWay); // closing a connection under a running query ends the process
    this.#reader.closeSync();
    this.#writer.closeSync();
    this.#instance.closeSync();
  }

  #watched<T>(work: () => Promise<T>): Promise<T> {
    if (this.#state === "closed") return Promise.reject(closed());
    const running = work();
    this.#underWay.add(running);
    const done = () => this.#underWay.delete(running);
    running.then(done, done);
    return running;
  }
}

function closed(): ServiceError {
  return new ServiceError("unavailable", "the service is stopping: try again once it is back", {
    retryAfterSeconds: 5,
  });
}

async function openInstance(path: string, options: Record<string, string>): Promise<DuckDBInstance> {
  try {
    return await DuckDBInstance.create(path, options);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (/Could not set lock/.test(message)) {
      const owner = /PID (\d+)/.exec(message)?.[1];
      throw new ServiceError(
        "store-locked",
        `${path} is in use${owner ? ` by process ${owner}` : ""}: one leeway serve owns it; stop that one, or choose another --data-dir`,
      );
    }
    throw new ServiceError(
      "store-damaged",
      `${path} cannot be opened: ${message.split("\n")[0]}. Restore it from a backup, or move it away to start anew`,
      {
        cause: error,
      },
    );
  }
}

async function rows<Row>(connection: DuckDBConnection, sql: string, parameters: Parameters): Promise<Row[]> {
  const result = await connection.runAndReadAll(sql, { ...parameters });
  return result.getRowObjectsJS().map((row) => plain(row) as Row);
}

function plain(value: unknown): unknown {
  if (typeof value === "bigint") {
    return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
  }
  if (Array.isArray(value)) return value.map(plain);
  if (value !== null && typeof value === "object" && Object.getPrototypeOf(value) === Object.prototype) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plain(item)]));
  }
  return value;
}

async function migrate(database: Database, path: string): Promise<void> {
  await database.transaction(async (tx) => {
    await tx.run(
      "create table if not exists migrations (number integer primary key, name varchar not null, applied_at timestamptz not null default now())",
    );
    const [applied] = await tx.all<{ newest: number | null }>("select max(number) as newest from migrations");
    const newest = applied?.newest ?? 0;
    const known = migrations.at(-1)?.number ?? 0;
    if (newest > known) {
      throw new ServiceError(
        "store-too-new",
        `${path} was written by a newer Leeway (layout ${newest}, this one knows ${known}): run that version, or a newer one`,
      );
    }
    for (const migration of migrations.filter(({ number }) => number > newest)) {
      for (const statement of migration.statements) await tx.run(statement);
      await tx.run("insert into migrations (number, name) values ($number, $name)", {
        number: migration.number,
        name: migration.name,
      });
    }
  });
}
