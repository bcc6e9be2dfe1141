import { randomUUID } from "node:crypto";
import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { ServiceError } from "../schema/errors.ts";
import { failAgain, nextChunk } from "./chunks.ts";
import type { Database } from "./database.ts";
import { literal } from "./identifier.ts";
import { type QueryLimits, queryLimits } from "./query-limits.ts";
import { answerTooLong, timedOut, told, tooManyRows } from "./query-problems.ts";
import {
  type CheckedStatement,
  prepareQuery,
  type QueryCatalog,
  refuseLossyParquet,
  withoutSemicolon,
} from "./query-statement.ts";
import { type TextFormat, textWriter } from "./query-text.ts";
import { QueryTurns } from "./query-turns.ts";
import { ProcessGrowth, watchQuery } from "./query-watch.ts";

export type QueryFormat = TextFormat | "parquet";

export interface QueryRequest {
  readonly sql: string;
  readonly format: QueryFormat;
  /** Rows of the answer: JSON is cut there and says so, of the other formats it is the most. */
  readonly rowLimit?: number | undefined;
  readonly seconds?: number | undefined;
  /** Ends the query: whoever asked is gone. */
  readonly signal?: AbortSignal | undefined;
}

/** An answer, whole before its first byte is sent. A file is the caller's to remove. */
export type QueryAnswer = { readonly rows: number; readonly truncated: boolean } & (
  | { readonly kind: "text"; readonly parts: readonly Buffer[] }
  | { readonly kind: "file"; readonly file: string; readonly bytes: number }
);

/** Text is gathered in pieces of about this length. */
const PIECE_CHARACTERS = 65_536;

interface Running {
  readonly connection: DuckDBConnection;
  readonly checked: CheckedStatement;
  readonly request: QueryRequest;
  readonly signal: AbortSignal;
}

/**
 * Runs the SQL of people who may read. A query is one SELECT over the schemas `views` and `results` and nothing else: it
 * is read by DuckDB's parser and each part of it is held against a list of what is taken (`query-check.ts`), then its
 * plan is looked at (`query-plan.ts`), and the database itself opens no file but its own (`Database.open`).
 */
export class QueryRunner {
  readonly #database: Database;
  readonly #folder: string;
  readonly #pause: (ms: number) => Promise<unknown>;
  readonly #limits: QueryLimits;
  readonly #turns: QueryTurns;
  readonly #growth = new ProcessGrowth();
  readonly #closing = new AbortController();
  readonly #underWay = new Set<Promise<unknown>>();

  constructor(parts: {
    readonly database: Database;
    /** For Parquet under way. */
    readonly folder: string;
    /** Timers are the app's. */
    readonly pause: (ms: number) => Promise<unknown>;
    readonly limits?: Partial<QueryLimits>;
  }) {
    this.#database = parts.database;
    this.#folder = parts.folder;
    this.#pause = parts.pause;
    this.#limits = { ...queryLimits, ...parts.limits };
    this.#turns = new QueryTurns(this.#limits);
  }

  get limits(): QueryLimits {
    return this.#limits;
  }

  /**
   * @throws ServiceError `invalid-input` for what is no query, `timeout`, `too-large` beyond the limits of rows, length or
   *   memory, `queue-full` when too many wait, `unavailable` while the service stops.
   */
  async run(request: QueryRequest): Promise<QueryAnswer> {
    const { sqlCharacters, defaultSeconds } = this.#limits;
    if (request.sql.length > sqlCharacters) {
      throw new ServiceError(
        "invalid-input",
        `the query has ${request.sql.length} characters, and ${sqlCharacters} is the most`,
      );
    }
    if (request.sql.includes("\0")) throw new ServiceError("invalid-input", "the query holds a character 0");
    const seconds = request.seconds ?? defaultSeconds;
    const stop = new AbortController();
    const over = new AbortController();
    const timeout = AbortSignal.timeout(seconds * 1000);
    const reasons: readonly (readonly [AbortSignal | undefined, () => ServiceError])[] = [
      [timeout, () => timedOut(seconds, this.#limits)],
      [request.signal, () => new ServiceError("unavailable", "whoever asked is gone: the query was ended")],
      [
        this.#closing.signal,
        () => new ServiceError("unavailable", "the service is stopping: ask again later"),
      ],
    ];
    for (const [signal, reason] of reasons) {
      if (signal?.aborted) stop.abort(reason());
      signal?.addEventListener("abort", () => stop.abort(reason()), { once: true, signal: over.signal });
    }
    try {
      const endTurn = await this.#turns.take(stop.signal);
      const work = this.#work(request, stop).catch(tell).finally(endTurn);
      this.#keep(work);
      return await unlessStopped(work, stop);
    } finally {
      over.abort(); // nobody has to listen any more
    }
  }

  /** Ends the queries under way and waits until they have let go of the database. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.allSettled(this.#underWay);
  }

  #keep(work: Promise<unknown>): void {
    this.#underWay.add(work);
    const done = () => this.#underWay.delete(work);
    work.then(done, done);
  }

  async #work(request: QueryRequest, stop: AbortController): Promise<QueryAnswer> {
    const catalog = await this.#readCatalog();
    const connection = await this.#database.connect();
    const file =
      request.format === "parquet" ? join(this.#folder, `query-${randomUUID()}.parquet`) : undefined;
    const watch = await watchQuery({
      connection,
      database: this.#database,
      pause: this.#pause,
      growth: this.#growth,
      stop,
      memoryBytes: catalog.memoryBytes * this.#limits.memoryShare,
      look: async () => {
        const written = file === undefined ? undefined : await stat(file).catch(() => undefined);
        if (written && written.size > this.#limits.answerBytes) throw answerTooLong(this.#limits);
      },
    }).catch((error: unknown) => {
      connection.closeSync();
      throw error;
    });
    this.#keep(watch.ended);
    try {
      await connection.run("set search_path = 'views,results'");
      stop.signal.throwIfAborted();
      const checked = await prepareQuery(connection, request.sql, catalog);
      stop.signal.throwIfAborted();
      const running = { connection, checked, request, signal: stop.signal };
      return await (file === undefined ? this.#text(running) : this.#parquet(running, file));
    } catch (error) {
      if (file !== undefined) await rm(file, { force: true });
      if (stop.signal.aborted) throw stop.signal.reason;
      throw error;
    } finally {
      connection.interrupt(); // a stream that was not read to its end is still at work
      await watch.end();
      connection.closeSync();
    }
  }

  async #text({ connection, checked, request, signal }: Running) {
    const { mostRows, defaultRows, answerBytes } = this.#limits;
    const format = request.format as TextFormat; // Parquet goes another way
    const most = request.rowLimit ?? (format === "json" ? defaultRows : mostRows);
    const result = await checked.statement.stream();
    const writer = textWriter(format, checked.columns, result.deduplicatedColumnNames());
    const parts: Buffer[] = [];
    let text = writer.head;
    let bytes = 0;
    let rows = 0;
    let cut: "whole" | "cut" = "whole";
    const flush = () => {
      const part = Buffer.from(text);
      text = "";
      bytes += part.length;
      if (bytes > answerBytes) throw answerTooLong(this.#limits);
      parts.push(part);
    };
    const failed = async () => {
      signal.throwIfAborted(); // it was interrupted
      await failAgain(connection, await withoutSemicolon(connection, request.sql));
    };
    reading: for (;;) {
      const chunk = await nextChunk(result, failed);
      signal.throwIfAborted();
      if (!chunk) break;
      for (const row of chunk.getRows()) {
        if (rows === most) {
          cut = "cut";
          break reading;
        }
        text += writer.row(row, rows);
        rows += 1;
        if (text.length > PIECE_CHARACTERS) flush();
      }
    }
    if (cut === "cut" && format !== "json") throw tooManyRows(most, this.#limits);
    text += writer.tail(rows, cut);
    flush();
    return { kind: "text", rows, truncated: cut === "cut", parts } as const;
  }

  async #parquet({ connection, checked, request, signal }: Running, file: string): Promise<QueryAnswer> {
    refuseLossyParquet(checked);
    const most = request.rowLimit ?? this.#limits.mostRows;
    const select = await withoutSemicolon(connection, request.sql);
    const { rowsChanged: rows } = await connection.run(
      `copy (\n${select}\n) to ${literal(file)} (format parquet, use_tmp_file false)`,
    );
    signal.throwIfAborted();
    if (rows > most) throw tooManyRows(most, this.#limits);
    const { size } = await stat(file);
    if (size > this.#limits.answerBytes) throw answerTooLong(this.#limits);
    return { kind: "file", rows, truncated: false, file, bytes: size };
  }

  async #readCatalog(): Promise<QueryCatalog> {
    const [models, results, [place]] = await Promise.all([
      this.#database.all<{ readonly view: string; readonly records: string; readonly labels: string }>(
        `select view_name as view, records_table as records, labels_table as labels from main.collected_models order by model`,
      ),
      this.#database.all<{ readonly name: string }>(
        "select view_name as name from duckdb_views() where schema_name = 'results' order by name",
      ),
      this.#database.all<{ readonly name: string; readonly memory: number }>(
        `select current_database() as name, parse_formatted_bytes(current_setting('memory_limit'))::double as memory`,
      ),
    ]);
    return {
      catalog: place?.name ?? "",
      memoryBytes: place?.memory ?? 0,
      models: models.map(({ view }) => view),
      results: results.map(({ name }) => name),
      modelTables: models.flatMap(({ records, labels }) => [records, labels]),
    };
  }
}

/** The work's outcome, or the reason why it was stopped as soon as it is: some work cannot be interrupted at once. */
async function unlessStopped(work: Promise<QueryAnswer>, { signal }: AbortController): Promise<QueryAnswer> {
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
    if (signal.aborted) reject(signal.reason);
  });
  try {
    return await Promise.race([work, stopped]);
  } catch (error) {
    const drop = (answer: QueryAnswer) =>
      answer.kind === "file" ? rm(answer.file, { force: true }) : undefined;
    work.then(drop, () => undefined); // it may yet finish, for nobody
    throw error;
  }
}

function tell(error: unknown): never {
  throw told(error);
}
