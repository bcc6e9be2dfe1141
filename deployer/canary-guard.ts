import type { CanaryGuard } from "../schema/deployment.ts";
import { DURATION_BUCKETS, type VersionCounts } from "./replica/counts.ts";

/** What a sequential test says after so many observations. */
export type SequentialVerdict = "continue" | "accept" | "reject";

/**
 * Wald's sequential probability ratio test of a share: is it `accepted` or `rejected`? It decides as soon as the
 * observations suffice, and looking after each of them costs nothing, unlike a test made for one fixed number of them.
 *
 * @param observed - Trials so far, and how many of them were hits. The order of hits makes no difference to the test.
 * @param shares - The share under the hypothesis to keep, and the larger one under the other, both in (0, 1).
 * @param errors - Chance to reject the first when it is true, and to accept it when the other is, both in (0, 0.5].
 * @see A. Wald, Sequential Tests of Statistical Hypotheses (1945), Annals of Mathematical Statistics 16.
 * @example
 * sequentialTest({ trials: 40, hits: 8 }, { accepted: 0.01, rejected: 0.06 }, { falseReject: 0.01, falseAccept: 0.05 }); // "reject"
 */
export function sequentialTest(
  { trials, hits }: { readonly trials: number; readonly hits: number },
  { accepted, rejected }: { readonly accepted: number; readonly rejected: number },
  { falseReject, falseAccept }: { readonly falseReject: number; readonly falseAccept: number },
): SequentialVerdict {
  if (!(accepted > 0 && rejected > accepted && rejected < 1))
    throw new RangeError(`shares ${accepted} and ${rejected} are not 0 < accepted < rejected < 1`);
  const ratio =
    hits * Math.log(rejected / accepted) + (trials - hits) * Math.log((1 - rejected) / (1 - accepted));
  if (ratio >= Math.log((1 - falseAccept) / falseReject)) return "reject";
  return ratio <= Math.log(falseAccept / (1 - falseReject)) ? "accept" : "continue";
}

/** Chance that a canary which is as much worse as the margin says is found good. */
const FALSE_ACCEPT = 0.05;
/** What a stable version without a single error is taken to fail at: no service is known to be perfect. */
const LEAST_ERRORS = 0.005;
/** Calls of the stable version before it can be compared with. */
const LEAST_STABLE = 30;
/** Share of the stable version's calls that are its slow ones. */
const SLOW_SHARE = 0.05;

/** Whether a canary is to be taken back, and why. */
export type CanaryVerdict =
  | { readonly action: "go-on" }
  | { readonly action: "withdraw"; readonly reason: string };

/**
 * Compares a canary with the stable version by two sequential tests, of the share of errors and of the share of slow
 * calls. The stable version's own shares are estimated from what it has answered so far.
 */
export function judgeCanary(stable: VersionCounts, canary: VersionCounts, guard: CanaryGuard): CanaryVerdict {
  const before = answered(stable);
  const trials = answered(canary);
  if (guard.action === "none" || before < LEAST_STABLE || trials === 0) return { action: "go-on" };
  const errors = { falseReject: guard.false_alarms / 2, falseAccept: FALSE_ACCEPT };
  const usual = Math.min(Math.max(stable.failures / before, LEAST_ERRORS), 0.5);
  const failing = sequentialTest(
    { trials, hits: canary.failures },
    { accepted: usual, rejected: Math.min(usual + guard.error_margin, 0.99) },
    errors,
  );
  if (failing === "reject")
    return {
      action: "withdraw",
      reason: `it failed at ${canary.failures} of ${trials} calls, the stable version at ${stable.failures} of ${before} (sequential probability ratio test)`,
    };
  const bucket = slowBucket(stable);
  const slowOf = (counts: VersionCounts) => counts.durations.slice(bucket).reduce((sum, n) => sum + n, 0);
  const usuallySlow = Math.min(Math.max(slowOf(stable) / before, 0.01), SLOW_SHARE);
  const slow = sequentialTest(
    { trials, hits: slowOf(canary) },
    { accepted: usuallySlow, rejected: Math.min(usuallySlow + guard.slow_margin, 0.99) },
    errors,
  );
  if (slow !== "reject") return { action: "go-on" };
  const limitMs = (DURATION_BUCKETS[bucket - 1] ?? 0) * 1000;
  return {
    action: "withdraw",
    reason: `${slowOf(canary)} of ${trials} calls took more than ${limitMs} ms, of the stable version ${slowOf(stable)} of ${before} (sequential probability ratio test)`,
  };
}

function answered({ durations }: VersionCounts): number {
  return durations.reduce((sum, n) => sum + n, 0);
}

/** The first bucket beyond which at most one in twenty of the stable version's calls are; one more, for the noise. */
function slowBucket(stable: VersionCounts): number {
  const most = answered(stable) * SLOW_SHARE;
  let beyond = answered(stable);
  for (const [at, n] of stable.durations.entries()) {
    beyond -= n;
    if (beyond <= most) return Math.min(at + 2, DURATION_BUCKETS.length);
  }
  return DURATION_BUCKETS.length;
}
