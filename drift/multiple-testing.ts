/**
 * Holm's step-down adjusted p-values: reject where the adjusted value is at most alpha and the
 * probability of any false rejection is at most alpha, under any dependence of the tests.
 *
 * @param pValues - In [0, 1], any order.
 * @returns Adjusted values in the same order.
 * @see Holm (1979), Scandinavian Journal of Statistics 6.
 * @example
 * holm([0.01, 0.04, 0.03]); // [0.03, 0.06, 0.06]
 */
export function holm(pValues: readonly number[]): number[] {
  return stepwise(pValues, (sorted) => {
    let largest = 0;
    return sorted.map((p, i) => {
      largest = Math.max(largest, Math.min(1, p * (sorted.length - i)));
      return largest;
    });
  });
}

/**
 * Benjamini–Hochberg adjusted p-values: of those at most alpha, the expected share of false ones is
 * at most alpha when tests are independent or positively dependent.
 *
 * @see Benjamini and Hochberg (1995), Journal of the Royal Statistical Society B 57.
 * @example
 * benjaminiHochberg([0.01, 0.04, 0.03]); // [0.03, 0.04, 0.04]
 */
export function benjaminiHochberg(pValues: readonly number[]): number[] {
  return stepwise(pValues, (sorted) => {
    let smallest = 1;
    const adjusted: number[] = [];
    for (let i = sorted.length - 1; i >= 0; i -= 1) {
      smallest = Math.min(smallest, ((sorted[i] ?? 1) * sorted.length) / (i + 1));
      adjusted[i] = smallest;
    }
    return adjusted;
  });
}

function stepwise(
  pValues: readonly number[],
  adjust: (sorted: readonly number[]) => readonly number[],
): number[] {
  for (const p of pValues) {
    if (!(p >= 0 && p <= 1)) throw new RangeError(`p-values lie in [0, 1], not ${p}`);
  }
  const order = pValues.map((_, i) => i).sort((a, b) => (pValues[a] ?? 0) - (pValues[b] ?? 0));
  const adjusted = adjust(order.map((i) => pValues[i] ?? 1));
  const result: number[] = new Array(pValues.length).fill(1);
  order.forEach((original, rank) => {
    result[original] = adjusted[rank] ?? 1;
  });
  return result;
}
