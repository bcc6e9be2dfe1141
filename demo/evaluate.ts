import { type LabelledFlight, type LateModel, scoreFlight } from "./model.ts";

/** How well a model's probabilities foretold what happened. */
export interface Evaluation {
  readonly flights: number;
  readonly late_share: number;
  /** Probability that a late flight got the higher score of the two, ties counted half. 0.5 is guessing. */
  readonly auc: number;
  /** Mean negative log likelihood, in nats; lower is better. */
  readonly log_loss: number;
}

/** @throws RangeError when there is nothing to tell apart: no late flight, or none in time. */
export function evaluateModel(model: LateModel, flights: readonly LabelledFlight[]): Evaluation {
  const scored = flights.map(({ inputs, late }) => ({ score: scoreFlight(model, inputs), late }));
  return evaluateScores(scored);
}

export function evaluateScores(
  scored: readonly { readonly score: number; readonly late: boolean }[],
): Evaluation {
  const sorted = [...scored].sort((a, b) => a.score - b.score);
  const late = sorted.filter((flight) => flight.late).length;
  const inTime = sorted.length - late;
  if (late === 0 || inTime === 0) {
    throw new RangeError(`${late} late flights and ${inTime} in time: both are needed to evaluate`);
  }
  let rankSum = 0;
  let logLoss = 0;
  for (let from = 0; from < sorted.length; ) {
    let to = from;
    while (to < sorted.length && sorted[to]?.score === sorted[from]?.score) to += 1;
    const rank = (from + 1 + to) / 2; // tied scores share the middle of their ranks
    for (const { score, late: isLate } of sorted.slice(from, to)) {
      if (isLate) rankSum += rank;
      const given = Math.min(1 - 1e-12, Math.max(1e-12, isLate ? score : 1 - score));
      logLoss -= Math.log(given);
    }
    from = to;
  }
  return {
    flights: sorted.length,
    late_share: late / sorted.length,
    auc: (rankSum - (late * (late + 1)) / 2) / (late * inTime),
    log_loss: logLoss / sorted.length,
  };
}
