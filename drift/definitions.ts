import type { StatisticName } from "../schema/drift-result.ts";

/** How rows became the statistic: exactly, or from counts on the baseline's fine bins (stored profiles). */
export type Source = "rows" | "bins";

const BINNED = "10 baseline-quantile bins (lo, hi], outside values in the end bins";

/**
 * One sentence per statistic: what the number in a result is.
 *
 * @example
 * definition("tvd", "categorical", "rows").slice(0, 40); // half the sum of the differences of shares
 */
export function definition(name: StatisticName, kind: "numeric" | "categorical", source: Source): string {
  const on = kind === "numeric" ? BINNED : "all categories, an unseen one has baseline share 0";
  const by = source === "rows" ? "exact on the rows" : "on about 100 baseline-quantile bins";
  switch (name) {
    case "ks":
      return `largest difference of the distribution functions, ${by}; p-value two-sided asymptotic for independent rows`;
    case "wasserstein":
      return `W1 in the feature's unit, ${by}; normalized by the baseline's sample standard deviation`;
    case "psi":
      return `sum of (q - p) ln(q / p) over ${on}; shares floored at 1e-4`;
    case "jensen_shannon":
      return `square root of the base-2 Jensen-Shannon divergence over ${on}`;
    case "hellinger":
      return `square root of half the squared distance of the root shares over ${on}`;
    case "kl":
      return `sum of q ln(q / p), current against baseline, in nats, over ${on}; shares floored at 1e-4`;
    case "cramer_von_mises":
      return `two-sample statistic T with midranks, ${by}; p-value asymptotic for independent rows`;
    case "energy":
      return `energy distance sqrt(2 times the integral of (F - G) squared), ${by}`;
    case "chi_square":
      return "contingency test of 2 rows by k categories, no continuity correction; p-value for independent rows";
    case "l_infinity":
      return `largest difference of a category's shares over ${on}`;
    case "tvd":
      return `half the sum of the differences of shares over ${on}`;
  }
}
