import { logGamma } from "./gamma.ts";

/**
 * A small seeded generator of uniform numbers in [0, 1): sfc32, 128 bits of state, period at least 2^64.
 *
 * @param seed - Any whole number; equal seeds give equal streams on every machine.
 * @see Doty-Humphrey, PractRand (2010).
 * @example
 * seededRandom(1)() === seededRandom(1)(); // true
 */
export function seededRandom(seed: number): () => number {
  let a = seed | 0;
  let b = Math.floor(seed / 2 ** 32) | 0;
  let c = 0x9e3779b9 | 0;
  let counter = 1;
  const next = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return sum >>> 0;
  };
  for (let i = 0; i < 15; i += 1) next();
  return () => (next() * 2 ** 21 + (next() >>> 11)) / 2 ** 53;
}

/** A standard normal number (Marsaglia's polar method). */
export function normalSample(random: () => number): number {
  for (;;) {
    const u = 2 * random() - 1;
    const v = 2 * random() - 1;
    const s = u * u + v * v;
    if (s > 0 && s < 1) return u * Math.sqrt((-2 * Math.log(s)) / s);
  }
}

/** Below this many expected successes their waiting times are counted, which takes a step for each. */
const MOST_COUNTED = 10;

/**
 * How many of n independent trials of probability p succeed. Exact, and as quick for large n as for small: transformed
 * rejection, whose hat fits any binomial of ten expected successes or more.
 *
 * @see Hörmann (1993), The generation of binomial random variates, algorithm BTRS.
 * @example
 * binomialSample(seededRandom(1), 10, 1); // 10
 */
export function binomialSample(random: () => number, n: number, p: number): number {
  if (p > 0.5) return n - binomialSample(random, n, 1 - p);
  if (n * p < MOST_COUNTED) return countByWaiting(random, n, p);
  const deviation = Math.sqrt(n * p * (1 - p));
  const b = 1.15 + 2.53 * deviation;
  const a = -0.0873 + 0.0248 * b + 0.01 * p;
  const centre = n * p + 0.5;
  const within = 0.92 - 4.2 / b;
  const alpha = (2.83 + 5.1 / b) * deviation;
  const mode = Math.floor((n + 1) * p);
  for (;;) {
    const u = random() - 0.5;
    const v = 1 - random();
    const edge = 0.5 - Math.abs(u);
    const k = Math.floor(((2 * a) / edge + b) * u + centre);
    if (edge >= 0.07 && v <= within) return k; // inside the hat for sure, and what happens most
    if (k < 0 || k > n) continue;
    const below = Math.log((v * alpha) / (a / (edge * edge) + b));
    if (below <= logBinomialRatio(k, mode, n, p)) return k;
  }
}

/** ln (P(k) / P(m)) of a binomial. */
function logBinomialRatio(k: number, m: number, n: number, p: number): number {
  return (
    logGamma(m + 1) -
    logGamma(k + 1) +
    logGamma(n - m + 1) -
    logGamma(n - k + 1) +
    (k - m) * Math.log(p / (1 - p))
  );
}

function countByWaiting(random: () => number, n: number, p: number): number {
  if (p <= 0) return 0;
  const scale = Math.log1p(-Math.min(p, 1 - 2 ** -53));
  let at = 0;
  let count = 0;
  for (;;) {
    at += Math.floor(Math.log(1 - random()) / scale) + 1;
    if (at > n) return count;
    count += 1;
  }
}

/**
 * Counts of n rows thrown into bins of the given shares, one conditional binomial after the other.
 *
 * @param shares - All >= 0, sum about 1.
 * @example
 * multinomialSample(seededRandom(1), 10, [0, 1]); // [0, 10]
 */
export function multinomialSample(random: () => number, n: number, shares: readonly number[]): number[] {
  let rows = n;
  let share = 1;
  return shares.map((own, i) => {
    if (rows === 0) return 0;
    const count =
      i === shares.length - 1 ? rows : binomialSample(random, rows, Math.min(1, Math.max(0, own / share)));
    rows -= count;
    share -= own;
    return count;
  });
}
