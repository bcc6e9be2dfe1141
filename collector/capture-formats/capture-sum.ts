import type { CaptureAnswer } from "../../schema/record.ts";

const MOST_ERRORS = 100;
const MOST_NOTES = 20;

export const nothingCaptured: CaptureAnswer = {
  ...{ received: 0, stored: 0, duplicates: 0, rejected: 0, errors: [] },
  ...{ events: 0, waiting: 0, repeated: 0, ignored: 0, notes: [] },
};

/** Counts of two answers together; the second's places come after so many events of the first. */
export function addedAnswers(sum: CaptureAnswer, next: CaptureAnswer): CaptureAnswer {
  const later = <Named extends { readonly index: number }>(named: readonly Named[]): Named[] =>
    named.map((each) => ({ ...each, index: each.index + sum.events }));
  const sampledOut = (sum.sampled_out ?? 0) + (next.sampled_out ?? 0);
  return {
    received: sum.received + next.received,
    stored: sum.stored + next.stored,
    duplicates: sum.duplicates + next.duplicates,
    rejected: sum.rejected + next.rejected,
    ...(sampledOut > 0 ? { sampled_out: sampledOut } : {}),
    errors: [...sum.errors, ...later(next.errors)].slice(0, MOST_ERRORS),
    events: sum.events + next.events,
    waiting: sum.waiting + next.waiting,
    repeated: sum.repeated + next.repeated,
    ignored: sum.ignored + next.ignored,
    notes: [...sum.notes, ...later(next.notes)].slice(0, MOST_NOTES),
  };
}
