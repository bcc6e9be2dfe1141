import type { Random } from "../seeded-random.ts";

export type ArrivalKind = "poisson" | "constant";

/**
 * When requests are meant to be sent, in milliseconds from the start of the window: each is sent at its time whether
 * or not earlier ones have been answered (an open loop, as independent callers make it).
 *
 * `constant`: every 1/rate. `poisson`: gaps drawn from the exponential distribution with mean 1/rate, which is what
 * many independent callers add up to.
 *
 * @param rate - Requests per second, above 0.
 * @param durationMs - Length of the window; times lie in [0, durationMs).
 * @param most - No more than so many.
 * @throws RangeError when the rate is not above 0.
 */
export function* arrivals({
  kind,
  rate,
  durationMs,
  most,
  random,
}: {
  readonly kind: ArrivalKind;
  readonly rate: number;
  readonly durationMs: number;
  readonly most: number;
  readonly random: Random;
}): Generator<number, void> {
  if (!(rate > 0)) throw new RangeError(`arrivals: the rate has to be above 0, not ${rate}`);
  const gapMs = 1_000 / rate;
  let at = kind === "constant" ? 0 : -Math.log(1 - random()) * gapMs;
  for (let i = 0; i < most && at < durationMs; i += 1) {
    yield at;
    at = kind === "constant" ? (i + 1) * gapMs : at - Math.log(1 - random()) * gapMs;
  }
}
