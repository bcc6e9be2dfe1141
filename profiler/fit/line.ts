export interface Point {
  readonly x: number;
  readonly y: number;
  /** How much the point counts; 1 when absent. */
  readonly weight?: number;
}

export interface Line {
  readonly intercept: number;
  readonly slope: number;
}

/** A line with what is known of its slope. */
export interface FittedLine extends Line {
  /** 95 % confidence interval of the slope. */
  readonly slopeInterval: readonly [from: number, to: number];
  /** Share of the variance that the line explains, 0 to 1. */
  readonly rSquared: number;
}

/** Two-sided 97.5 % quantiles of Student's t for 1 to 10 degrees of freedom; 1.96 + 2.5/d is close beyond. */
const STUDENT = [12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228];

/**
 * Weighted least squares through points: how much y grows with x.
 *
 * With x the rate in requests per second and y the cores in use it is the utilisation law U = U0 + X·D: the slope is
 * the CPU demand D of a request in seconds, the intercept what is used without any.
 *
 * @param points - At least two with different x.
 * @throws RangeError when they do not determine a line.
 * @see Lazowska et al., Quantitative System Performance (1984), section 3.4 (utilisation law).
 * @example
 * fitLine([{ x: 0, y: 1 }, { x: 1, y: 3 }, { x: 2, y: 5 }]); // intercept 1, slope 2
 */
export function fitLine(points: readonly Point[]): FittedLine {
  const sum = (of: (point: Point) => number) =>
    points.reduce((total, point) => total + (point.weight ?? 1) * of(point), 0);
  const weight = sum(() => 1);
  const meanX = sum(({ x }) => x) / weight;
  const meanY = sum(({ y }) => y) / weight;
  const varX = sum(({ x }) => (x - meanX) ** 2);
  if (!(varX > 0)) throw new RangeError(`fitLine: ${points.length} points at fewer than two different x`);
  const slope = sum(({ x, y }) => (x - meanX) * (y - meanY)) / varX;
  const intercept = meanY - slope * meanX;
  const residual = sum(({ x, y }) => (y - intercept - slope * x) ** 2);
  const total = sum(({ y }) => (y - meanY) ** 2);
  const freedom = points.length - 2;
  const error = freedom > 0 ? Math.sqrt(residual / freedom / varX) : Number.POSITIVE_INFINITY;
  const t = STUDENT[freedom - 1] ?? 1.96 + 2.5 / freedom;
  const half = freedom > 0 ? t * error : Number.POSITIVE_INFINITY;
  return {
    intercept,
    slope,
    slopeInterval: [slope - half, slope + half],
    rSquared: total > 0 ? Math.max(0, 1 - residual / total) : 1,
  };
}

/**
 * Theil and Sen's line: its slope is the median of the slopes between all pairs of points, so that a few wild points
 * do not bend it (up to 29 % of them). The interval is Sen's, from Kendall's distribution.
 *
 * @param points - At least two with different x; at most a few hundred, since all pairs are looked at.
 * @throws RangeError when all x are the same.
 * @see P. K. Sen, Estimates of the regression coefficient based on Kendall's tau, JASA 63 (1968).
 * @example
 * theilSen([{ x: 0, y: 0 }, { x: 1, y: 1 }, { x: 2, y: 2 }, { x: 3, y: 90 }]).slope; // 15.5: (1 + 30)/2 … least squares says 27.1
 */
export function theilSen(points: readonly Point[]): FittedLine {
  const slopes: number[] = [];
  for (const [i, a] of points.entries()) {
    for (const b of points.slice(i + 1)) if (b.x !== a.x) slopes.push((b.y - a.y) / (b.x - a.x));
  }
  if (slopes.length === 0) throw new RangeError("theilSen: fewer than two different x");
  slopes.sort((a, b) => a - b);
  const slope = median(slopes);
  const intercept = median(points.map(({ x, y }) => y - slope * x).sort((a, b) => a - b));
  const n = points.length;
  const spread = 1.96 * Math.sqrt((n * (n - 1) * (2 * n + 5)) / 18);
  const at = (rank: number) => slopes[Math.max(0, Math.min(slopes.length - 1, rank))] as number; // not empty
  const meanY = points.reduce((total, { y }) => total + y, 0) / n;
  const total = points.reduce((sum, { y }) => sum + (y - meanY) ** 2, 0);
  const residual = points.reduce((sum, { x, y }) => sum + (y - intercept - slope * x) ** 2, 0);
  return {
    intercept,
    slope,
    slopeInterval: [
      at(Math.floor((slopes.length - spread) / 2)),
      at(Math.ceil((slopes.length + spread) / 2)),
    ],
    rSquared: total > 0 ? Math.max(0, 1 - residual / total) : 1,
  };
}

/** @param sorted - Ascending, not empty. */
export function median(sorted: readonly number[]): number {
  const middle = sorted.length / 2;
  const at = (i: number) => sorted[i] as number; // within bounds
  return sorted.length % 2 === 1 ? at(Math.floor(middle)) : (at(middle - 1) + at(middle)) / 2;
}
