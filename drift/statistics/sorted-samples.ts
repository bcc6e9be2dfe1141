/** Two samples as sorted finite numbers, at least one each. Every function here walks both once and allocates nothing per row. */
function guard(name: string, a: Float64Array, b: Float64Array): void {
  if (a.length === 0 || b.length === 0)
    throw new RangeError(`${name}: a sample has no rows (${a.length} and ${b.length})`);
}

/**
 * Two-sample Kolmogorov–Smirnov distance: the largest difference of the empirical distribution functions.
 *
 * @param a - Sorted ascending, finite, at least one value. @param b - Likewise.
 * @throws RangeError when a sample is empty.
 * @see Smirnov (1939); scipy `ks_2samp`.
 * @example
 * kolmogorovSmirnov(Float64Array.of(1, 2, 3), Float64Array.of(2, 3, 4)); // 0.3333
 */
export function kolmogorovSmirnov(a: Float64Array, b: Float64Array): number {
  guard("ks", a, b);
  let i = 0;
  let j = 0;
  let largest = 0;
  const n = a.length;
  const m = b.length;
  while (i < n && j < m) {
    const x = a[i] as number; // within bounds
    const y = b[j] as number;
    if (x <= y) while (i < n && a[i] === x) i += 1;
    if (y <= x) while (j < m && b[j] === y) j += 1;
    const gap = Math.abs(i / n - j / m);
    if (gap > largest) largest = gap;
  }
  return largest;
}

/**
 * Wasserstein-1 (earth mover's) distance, in the unit of the values: the area between the distribution functions.
 *
 * @throws RangeError when a sample is empty.
 * @see Vallender (1974), Theory Probab. Appl. 18; scipy `wasserstein_distance`.
 * @example
 * wasserstein(Float64Array.of(0, 1, 3), Float64Array.of(5, 6, 8)); // 5
 */
export function wasserstein(a: Float64Array, b: Float64Array): number {
  return area(a, b).absolute;
}

/**
 * Energy distance: `sqrt(2 * integral of (F - G)^2)`, as scipy's `energy_distance`.
 *
 * @throws RangeError when a sample is empty.
 * @see Székely and Rizzo (2013), J. Stat. Plan. Inference 143.
 * @example
 * energyDistance(Float64Array.of(0), Float64Array.of(2)); // 2
 */
export function energyDistance(a: Float64Array, b: Float64Array): number {
  return Math.sqrt(2 * area(a, b).squared);
}

function area(a: Float64Array, b: Float64Array): { absolute: number; squared: number } {
  guard("distance", a, b);
  const n = a.length;
  const m = b.length;
  let i = 0;
  let j = 0;
  let absolute = 0;
  let squared = 0;
  let last = Math.min(a[0] as number, b[0] as number);
  while (i < n || j < m) {
    const x = i < n ? (a[i] as number) : Number.POSITIVE_INFINITY;
    const y = j < m ? (b[j] as number) : Number.POSITIVE_INFINITY;
    const next = x < y ? x : y;
    const gap = i / n - j / m;
    const width = next - last;
    absolute += Math.abs(gap) * width;
    squared += gap * gap * width;
    last = next;
    while (i < n && a[i] === next) i += 1;
    while (j < m && b[j] === next) j += 1;
  }
  return { absolute, squared };
}
