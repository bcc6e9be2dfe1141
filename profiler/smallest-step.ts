/**
 * The smallest step that holds, found with few trials: from a first guess outwards in growing strides until one step
 * that holds and one that does not are known, then by halves between them. Takes for granted that whatever holds on a
 * step holds on every larger one.
 *
 * @param steps - Ascending.
 * @param guess - Index to begin at.
 * @param tooSmall - Steps up to this index are known not to hold; -1 for none.
 * @param holds - Tries one; `stop` ends the search with what is known.
 * @returns the smallest index known to hold (undefined: none does), and whether the one below it was tried.
 */
export async function smallestStep({
  steps,
  guess,
  tooSmall,
  holds,
}: {
  readonly steps: readonly number[];
  readonly guess: number;
  readonly tooSmall: number;
  readonly holds: (step: number) => Promise<"yes" | "no" | "stop">;
}): Promise<{ readonly found: number | undefined; readonly bounds: "exact" | "open" }> {
  let no = tooSmall;
  let yes = steps.length;
  let stride = 1;
  let at = Math.min(steps.length - 1, Math.max(guess, tooSmall + 1));
  while (yes - no > 1) {
    const answer = await holds(steps[at] as number); // within bounds
    if (answer === "stop") return { found: steps[yes], bounds: "open" };
    if (answer === "yes") yes = at;
    else no = at;
    const upKnown = yes < steps.length;
    const downKnown = no > tooSmall;
    if (upKnown && downKnown) at = Math.floor((no + yes) / 2);
    else at = upKnown ? Math.max(no + 1, yes - stride) : Math.min(yes - 1, no + stride);
    stride *= 2;
  }
  return { found: steps[yes], bounds: "exact" };
}
