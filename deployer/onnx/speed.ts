import type { MeasuredSpeed } from "../../schema/optimisation.ts";

const BLOCKS = 21;
const BLOCK_MS = 30;
/** With both as fast as each other, 19 or more of 21 blocks in favour of one of them come once in 4,500 times (sign test, two-sided). */
const CLEAR_BLOCKS = 19;
/** A smaller change is of no use to anybody, and may be how the code happens to lie in memory. */
const LEAST_CHANGE = 0.03;
const MOST_RUNS = 500;

/**
 * Which of two is faster, by blocks of runs that take turns: whatever else the machine does meanwhile befalls both. The
 * difference is clear when most blocks (a sign test) and the medians say the same, else there is none that was measured.
 *
 * @param nowMs - A clock.
 */
export function fasterOf(before: () => void, after: () => void, nowMs: () => number): MeasuredSpeed {
  const timeOf = (work: () => void, runs: number) => {
    const started = nowMs();
    for (let run = 0; run < runs; run++) work();
    return (nowMs() - started) / runs;
  };
  const once = Math.max(timeOf(before, 3), timeOf(after, 3), 1e-6);
  const runs = Math.min(MOST_RUNS, Math.max(1, Math.round(BLOCK_MS / once)));
  const blocks = Array.from({ length: BLOCKS }, (_, at) => {
    if (at % 2 === 0) return { before: timeOf(before, runs), after: timeOf(after, runs) };
    const second = timeOf(after, runs);
    return { before: timeOf(before, runs), after: second };
  });
  return judgeBlocks(blocks);
}

/** What blocks of measurements say; pure, so that it can be tried on any. */
export function judgeBlocks(
  blocks: readonly { readonly before: number; readonly after: number }[],
): MeasuredSpeed {
  const before_ms = median(blocks.map((block) => block.before));
  const after_ms = median(blocks.map((block) => block.after));
  const ratio = median(blocks.map((block) => block.before / block.after));
  const faster = blocks.filter((block) => block.after < block.before).length;
  const clear = (CLEAR_BLOCKS / BLOCKS) * blocks.length;
  const verdict =
    ratio >= 1 + LEAST_CHANGE && faster >= clear
      ? "faster"
      : ratio <= 1 / (1 + LEAST_CHANGE) && blocks.length - faster >= clear
        ? "slower"
        : "no difference";
  return { before_ms, after_ms, ratio, blocks: blocks.length, faster_blocks: faster, verdict };
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}
