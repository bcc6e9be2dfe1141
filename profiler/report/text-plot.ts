export interface PlotPoint {
  readonly x: number;
  readonly y: number;
  readonly mark: string;
}

/**
 * A small scatter plot of characters: y on a logarithmic scale (latencies differ by powers of ten), x linear.
 *
 * @param line - A value of y to draw across, such as the objective.
 */
export function textPlot(
  points: readonly PlotPoint[],
  {
    width,
    height,
    line,
    yText,
    xText,
  }: {
    readonly width: number;
    readonly height: number;
    readonly line: number;
    readonly yText: (y: number) => string;
    readonly xText: (x: number) => string;
  },
): string[] {
  const good = points.filter(({ y }) => y > 0);
  if (good.length === 0) return [];
  const ys = [...good.map(({ y }) => y), line].map(Math.log10);
  const low = Math.floor(Math.min(...ys) * 2) / 2;
  const high = Math.max(Math.ceil(Math.max(...ys) * 2) / 2, low + 0.5);
  const most = Math.max(...good.map(({ x }) => x));
  const rowOf = (y: number) => Math.round(((Math.log10(y) - low) / (high - low)) * (height - 1));
  const grid = Array.from({ length: height }, () => new Array<string>(width).fill(" "));
  grid[rowOf(line)]?.fill("·");
  for (const { x, y, mark } of good) {
    const column = Math.round((x / most) * (width - 1));
    const row = grid[rowOf(y)];
    if (row) row[column] = mark;
  }
  const labels = new Map([
    [height - 1, yText(10 ** high)],
    [rowOf(line), yText(line)],
    [0, yText(10 ** low)],
  ]);
  const margin = Math.max(...[...labels.values()].map(({ length }) => length));
  const rows = grid
    .map((row, i) => `${(labels.get(i) ?? "").padStart(margin)} │${row.join("").trimEnd()}`)
    .reverse();
  const right = xText(most);
  return [
    ...rows,
    `${" ".repeat(margin)} └${"─".repeat(width)}`,
    `${" ".repeat(margin)}  0${" ".repeat(Math.max(1, width - right.length - 1))}${right}`,
  ];
}
