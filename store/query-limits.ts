/** What one query may take. Every limit is named in the message when it is met, with the way out. */
export interface QueryLimits {
  readonly sqlCharacters: number;
  /** Rows of a JSON answer when the caller names no limit. */
  readonly defaultRows: number;
  /** The most that a caller may name, and what files are held to. */
  readonly mostRows: number;
  readonly defaultSeconds: number;
  readonly mostSeconds: number;
  readonly answerBytes: number;
  /** Of the database's memory_limit: the rest is for what ingest and monitors do meanwhile. */
  readonly memoryShare: number;
  readonly running: number;
  readonly waiting: number;
}

export const queryLimits: QueryLimits = {
  sqlCharacters: 10_000,
  defaultRows: 10_000,
  mostRows: 1_000_000,
  defaultSeconds: 30,
  mostSeconds: 300,
  answerBytes: 64_000_000,
  memoryShare: 0.5,
  running: 2, // each keeps one of libuv's four threads busy; ingest needs the others
  waiting: 20,
};

/** The limits with what the service's configuration says of them. */
export function queryLimitsOf(settings: {
  readonly query_seconds: number;
  readonly query_rows: number;
  readonly query_bytes: number;
  readonly query_memory_share: number;
}): QueryLimits {
  const { query_seconds: mostSeconds, query_rows: mostRows } = settings;
  return {
    ...queryLimits,
    mostSeconds,
    defaultSeconds: Math.min(queryLimits.defaultSeconds, mostSeconds),
    mostRows,
    defaultRows: Math.min(queryLimits.defaultRows, mostRows),
    answerBytes: settings.query_bytes,
    memoryShare: settings.query_memory_share,
  };
}
