import type { WindowResult } from "../schema/drift-result.ts";

const MOST_FEATURES = 50;

/** What a trainer is told of a window: the verdict with its reason, and the features that are not as in the baseline, the largest effect first. */
export function driftSummary(result: WindowResult): Record<string, unknown> {
  const features = result.columns
    .filter(({ verdict }) => verdict === "drifted" || verdict === "quality")
    .sort((a, b) => (b.effect ?? 0) - (a.effect ?? 0));
  return {
    monitor: result.monitor,
    version: result.version,
    window: { from: result.from, to: result.to, rows: result.rows },
    verdict: result.dataset.verdict,
    reason: result.dataset.reason,
    drifted: result.dataset.drifted,
    checked: result.dataset.checked,
    features: features
      .slice(0, MOST_FEATURES)
      .map(({ name, type, verdict, effect, p_value, reason, cause }) => ({
        name,
        type,
        verdict,
        effect,
        p_value,
        reason,
        cause,
      })),
  };
}
