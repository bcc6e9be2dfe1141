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

/** A gamma number of the given shape, scale 1 (Marsaglia and Tsang 2000). */
function gammaSample(random: () => number, shape: number): number {
  if (shape < 1) return gammaSample(random, shape + 1) * random() ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normalSample(random);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

/**
 * How many of n independent trials of probability p succeed. Exact: large n is halved by order statistics
 * (Devroye 1986, X.4.3) until counting waiting times is quick.
 */
export function binomialSample(random: () => number, n: number, p: number): number {
  let left = n;
  let probability = p;
  let found = 0;
  while (left * Math.min(probability, 1 - probability) > 30) {
    const middle = Math.floor((left + 1) / 2);
    const a = gammaSample(random, middle);
    const median = a / (a + gammaSample(random, left + 1 - middle));
    if (median <= probability) {
      found += middle;
      left -= middle;
      probability = (probability - median) / (1 - median);
    } else {
      left = middle - 1;
      probability /= median;
    }
  }
  return (
    found +
    (probability <= 0.5
      ? countByWaiting(random, left, probability)
      : left - countByWaiting(random, left, 1 - probability))
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
