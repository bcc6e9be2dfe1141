/**
 * The smallest cell that holds, by halves over cells of which every one above a holding one holds too. The two at the
 * edge are then measured until each has been `timesAtEdge` times, and the majority counts: when that moves the edge, the
 * next cell is looked at in the same way.
 *
 * @param cells - Ascending.
 * @returns undefined when not even the largest holds.
 */
export async function cheapestCell({
  cells,
  timesAtEdge,
  holds,
}: {
  readonly cells: readonly number[];
  /** Odd. */
  readonly timesAtEdge: number;
  readonly holds: (cell: number) => Promise<boolean>;
}): Promise<number | undefined> {
  const votes = cells.map(() => ({ yes: 0, no: 0 }));
  const measure = async (i: number) => {
    const vote = votes[i] as { yes: number; no: number }; // within bounds
    if (await holds(cells[i] as number)) vote.yes += 1;
    else vote.no += 1;
    return vote.yes > vote.no;
  };
  let [no, yes] = [-1, cells.length];
  while (yes - no > 1) {
    const middle = Math.floor((no + yes) / 2);
    if (await measure(middle)) yes = middle;
    else no = middle;
  }
  const settled = async (i: number) => {
    const vote = votes[i];
    if (!vote) return i >= cells.length;
    const most = Math.ceil(timesAtEdge / 2);
    while (Math.max(vote.yes, vote.no) < most) await measure(i);
    return vote.yes > vote.no;
  };
  for (let i = 0; i < 2 * cells.length; i += 1) {
    if (yes < cells.length && !(await settled(yes))) yes += 1;
    else if (yes > 0 && (await settled(yes - 1))) yes -= 1;
    else break;
  }
  return cells[yes];
}
