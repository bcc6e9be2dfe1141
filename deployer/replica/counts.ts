/** Upper bounds of the histogram of scoring times, in seconds. */
export const DURATION_BUCKETS = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
] as const;

export type ScoringProtocol = "v2" | "v1" | "mlflow";

/** What a version has been asked and answered. All of it only grows, so that replicas can be added up. */
export interface VersionCounts {
  /** Requests by protocol and status code: `v2 200`. */
  readonly requests: Record<string, number>;
  /** Requests per bucket of `DURATION_BUCKETS`, and beyond the last; those that the version answered or failed at. */
  readonly durations: number[];
  durationSeconds: number;
  /** Instances scored. */
  rows: number;
  /** Runs of the model. */
  runs: number;
  runSeconds: number;
  queueSeconds: number;
  /** Requests that the version failed at: 5xx other than 503. */
  failures: number;
  lastScoredMs: number;
}

/** Counts by version. */
export type ScoringCounts = Record<string, VersionCounts>;

export function emptyCounts(): VersionCounts {
  return {
    requests: {},
    durations: new Array<number>(DURATION_BUCKETS.length + 1).fill(0),
    durationSeconds: 0,
    rows: 0,
    runs: 0,
    runSeconds: 0,
    queueSeconds: 0,
    failures: 0,
    lastScoredMs: 0,
  };
}

export function countRequest(
  counts: VersionCounts,
  {
    protocol,
    status,
    seconds,
  }: { readonly protocol: ScoringProtocol; readonly status: number; readonly seconds: number },
): void {
  const key = `${protocol} ${status}`;
  counts.requests[key] = (counts.requests[key] ?? 0) + 1;
  if (status >= 400 && (status < 500 || status === 503)) return; // it says nothing of the version
  if (status >= 500) counts.failures += 1;
  let bucket = 0;
  while (bucket < DURATION_BUCKETS.length && seconds > (DURATION_BUCKETS[bucket] as number)) bucket++; // within bounds
  counts.durations[bucket] = (counts.durations[bucket] ?? 0) + 1;
  counts.durationSeconds += seconds;
}

/** Adds what another replica has counted. */
export function addCounts(into: ScoringCounts, more: Readonly<ScoringCounts>): void {
  combine(into, more, 1);
}

/** Takes what a replica has counted out of a sum that it is in. */
export function subtractCounts(from: ScoringCounts, counts: Readonly<ScoringCounts>): void {
  combine(from, counts, -1);
}

function combine(into: ScoringCounts, more: Readonly<ScoringCounts>, sign: 1 | -1): void {
  for (const [version, counts] of Object.entries(more)) {
    into[version] ??= emptyCounts();
    const sum = into[version];
    for (const [key, n] of Object.entries(counts.requests))
      sum.requests[key] = (sum.requests[key] ?? 0) + sign * n;
    counts.durations.forEach((n, at) => {
      sum.durations[at] = (sum.durations[at] ?? 0) + sign * n;
    });
    sum.durationSeconds += sign * counts.durationSeconds;
    sum.rows += sign * counts.rows;
    sum.runs += sign * counts.runs;
    sum.runSeconds += sign * counts.runSeconds;
    sum.queueSeconds += sign * counts.queueSeconds;
    sum.failures += sign * counts.failures;
    sum.lastScoredMs = Math.max(sum.lastScoredMs, counts.lastScoredMs);
  }
}
