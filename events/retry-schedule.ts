const SECOND_MS = 1_000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;

/** Pauses before each attempt, as Standard Webhooks advises: ten attempts over about three days. */
const PAUSES_MS: readonly number[] = [
  0,
  5 * SECOND_MS,
  5 * MINUTE_MS,
  30 * MINUTE_MS,
  2 * HOUR_MS,
  5 * HOUR_MS,
  10 * HOUR_MS,
  14 * HOUR_MS,
  20 * HOUR_MS,
  24 * HOUR_MS,
];

/** Share of a pause that chance may add, so that what failed together does not come back together. */
const JITTER = 0.2;
/** A receiver may ask for more patience than the schedule has, up to this. */
const LONGEST_RETRY_AFTER_MS = 24 * HOUR_MS;

/**
 * Time until the next attempt, in milliseconds; undefined when the schedule is used up.
 *
 * @param attempts - Attempts made so far, at least 1.
 * @param random - In [0, 1).
 * @param retryAfterMs - What the receiver asked for; a shorter time than the schedule's is not taken up.
 */
export function nextPauseMs({
  attempts,
  random,
  retryAfterMs = 0,
}: {
  readonly attempts: number;
  readonly random: number;
  readonly retryAfterMs?: number | undefined;
}): number | undefined {
  const pause = PAUSES_MS[attempts];
  if (pause === undefined) return undefined;
  return Math.max(pause * (1 + JITTER * random), Math.min(retryAfterMs, LONGEST_RETRY_AFTER_MS));
}

/**
 * What a `Retry-After` header asks for, in milliseconds; undefined when it is absent or makes no sense.
 *
 * @param header - Seconds, or an HTTP date.
 */
export function retryAfterMs(header: string | undefined, now: Date): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d+\s*$/.test(header)) return Number(header) * SECOND_MS;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now.getTime());
}
