/** Throughput over the number of callers. */
export interface ThroughputPoint {
  readonly concurrency: number;
  /** Requests per second. */
  readonly rate: number;
}

/** The universal scalability law, fitted. */
export interface Contention {
  /** Requests per second of a single caller. */
  readonly single: number;
  /** Share of the work that has to wait its turn (alpha). */
  readonly contention: number;
  /** Cost of keeping pairs of callers apart (beta): above 0, throughput falls again. */
  readonly coherency: number;
  /** Callers at which throughput is highest; undefined when it only levels off. */
  readonly peakConcurrency: number | undefined;
  readonly rSquared: number;
}

/**
 * Fits X(c) = g·c / (1 + a(c-1) + b·c(c-1)) to measured throughput, by least squares of c/X, in which it is linear,
 * weighted so that every point's relative error counts the same. Negative a or b are taken for 0.
 *
 * @param points - At least four different concurrencies, rates above 0.
 * @returns undefined when there are too few, or they do not determine it.
 * @see N. J. Gunther, Guerrilla Capacity Planning (2007), chapter 5.
 * @example
 * fitContention([1, 2, 4, 8].map((concurrency) => ({ concurrency, rate: 100 * concurrency })))?.contention; // 0
 */
export function fitContention(points: readonly ThroughputPoint[]): Contention | undefined {
  const good = points.filter(({ rate }) => rate > 0);
  if (new Set(good.map(({ concurrency }) => concurrency)).size < 4) return undefined;
  // c/X = u + v(c-1) + w·c(c-1) with g = 1/u, a = v/u, b = w/u. Terms found negative are left out, and the rest fitted again.
  let terms = [0, 1, 2];
  let found = [0, 0, 0];
  for (let round = 0; round < 3; round += 1) {
    const solved = leastSquares(good, terms);
    if (!solved) return undefined;
    found = [0, 1, 2].map((term) => solved[terms.indexOf(term)] ?? 0);
    const negative = terms.filter((term) => term > 0 && (found[term] as number) < 0);
    if (negative.length === 0) break;
    terms = terms.filter((term) => !negative.includes(term));
    found = found.map((value) => Math.max(0, value));
  }
  const [u = 0, v = 0, w = 0] = found;
  if (!(u > 0)) return undefined;
  const contention = v / u;
  const coherency = w / u;
  const predicted = ({ concurrency: c }: ThroughputPoint) =>
    c / u / (1 + contention * (c - 1) + coherency * c * (c - 1));
  const mean = good.reduce((sum, { rate }) => sum + rate, 0) / good.length;
  const total = good.reduce((sum, { rate }) => sum + (rate - mean) ** 2, 0);
  const residual = good.reduce((sum, point) => sum + (point.rate - predicted(point)) ** 2, 0);
  return {
    single: 1 / u,
    contention,
    coherency,
    peakConcurrency: coherency > 0 && contention < 1 ? Math.sqrt((1 - contention) / coherency) : undefined,
    rSquared: total > 0 ? Math.max(0, 1 - residual / total) : 1,
  };
}

function leastSquares(points: readonly ThroughputPoint[], terms: readonly number[]): number[] | undefined {
  const size = terms.length;
  const matrix = Array.from({ length: size }, () => new Array<number>(size + 1).fill(0));
  for (const { concurrency: c, rate } of points) {
    const all = [1, c - 1, c * (c - 1)];
    const row = terms.map((term) => all[term] as number);
    const y = c / rate;
    const weight = 1 / (y * y);
    for (let i = 0; i < size; i += 1) {
      const line = matrix[i] as number[];
      for (let j = 0; j < size; j += 1)
        line[j] = (line[j] as number) + weight * (row[i] as number) * (row[j] as number);
      line[size] = (line[size] as number) + weight * (row[i] as number) * y;
    }
  }
  return solve(matrix);
}

/** Gauss and Jordan, with pivots; undefined when the matrix is singular. */
function solve(matrix: number[][]): number[] | undefined {
  const size = matrix.length;
  for (let i = 0; i < size; i += 1) {
    let pivot = i;
    for (let j = i + 1; j < size; j += 1) {
      if (Math.abs(matrix[j]?.[i] ?? 0) > Math.abs(matrix[pivot]?.[i] ?? 0)) pivot = j;
    }
    const row = matrix[pivot] as number[];
    if (Math.abs(row[i] ?? 0) < 1e-30) return undefined;
    matrix[pivot] = matrix[i] as number[];
    matrix[i] = row;
    for (const [j, other] of matrix.entries()) {
      if (j === i) continue;
      const factor = (other[i] as number) / (row[i] as number);
      for (let k = i; k <= size; k += 1) other[k] = (other[k] as number) - factor * (row[k] as number);
    }
  }
  return matrix.map((row, i) => (row[size] as number) / (row[i] as number));
}
