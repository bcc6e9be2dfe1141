/** A set of points of one kind. */
export interface Series {
  readonly name: string;
  readonly colour: string;
  readonly points: readonly { readonly x: number; readonly y: number; readonly title?: string }[];
  /** Bars stand on zero, and are as wide as the step from the first to the second. */
  readonly look: "dots" | "line" | "line-and-dots" | "crosses" | "bars";
}

export interface PlotOptions {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly yScale?: "linear" | "log";
  readonly xScale?: "linear" | "log";
  /** Lines across the plot, such as an objective. */
  readonly lines?: readonly { readonly y: number; readonly label: string }[];
  readonly format?: (value: number) => string;
}

const WIDTH = 560;
const HEIGHT = 300;
const MARGIN = { left: 74, right: 16, top: 30, bottom: 46 } as const;

interface Axis {
  readonly at: (value: number) => number;
  readonly ticks: readonly number[];
}

/** A plot as an SVG element that stands by itself: no script, no file beside it, legible in black and white. */
export function svgPlot(series: readonly Series[], options: PlotOptions): string {
  const points = series.flatMap((one) => one.points);
  if (points.length === 0) return "";
  const { lines = [] } = options;
  const x = axis(
    points.map((point) => point.x),
    options.xScale ?? "linear",
    [MARGIN.left, WIDTH - MARGIN.right],
  );
  const y = axis(
    [...points.map((point) => point.y), ...lines.map((line) => line.y)],
    options.yScale ?? "linear",
    [HEIGHT - MARGIN.bottom, MARGIN.top],
  );
  const format = options.format ?? short;
  const parts = [
    `<text x="${MARGIN.left}" y="16" class="title">${escaped(options.title)}</text>`,
    ...y.ticks.map(
      (tick) =>
        `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y.at(tick)}" y2="${y.at(tick)}" class="grid"/><text x="${MARGIN.left - 6}" y="${y.at(tick) + 4}" text-anchor="end">${escaped(format(tick))}</text>`,
    ),
    ...x.ticks.map(
      (tick) =>
        `<text x="${x.at(tick)}" y="${HEIGHT - MARGIN.bottom + 16}" text-anchor="middle">${escaped(short(tick))}</text>`,
    ),
    `<text x="${(MARGIN.left + WIDTH - MARGIN.right) / 2}" y="${HEIGHT - 10}" text-anchor="middle">${escaped(options.xLabel)}</text>`,
    `<text transform="translate(14 ${(HEIGHT - MARGIN.bottom + MARGIN.top) / 2}) rotate(-90)" text-anchor="middle">${escaped(options.yLabel)}</text>`,
    ...lines.map(
      (line) =>
        `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y.at(line.y)}" y2="${y.at(line.y)}" class="limit"/><text x="${WIDTH - MARGIN.right}" y="${y.at(line.y) - 5}" text-anchor="end" class="limit-label">${escaped(line.label)}</text>`,
    ),
    ...series.map((one) => drawn(one, x, y)),
    legend(series),
  ];
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${escaped(options.title)}">${parts.join("")}</svg>`;
}

function drawn({ points, look, colour }: Series, x: Axis, y: Axis): string {
  const places = points.map((point) => ({ ...point, px: fixed(x.at(point.x)), py: fixed(y.at(point.y)) }));
  const line = look.startsWith("line")
    ? `<polyline fill="none" stroke="${colour}" stroke-width="1.6" points="${places.map(({ px, py }) => `${px},${py}`).join(" ")}"/>`
    : "";
  if (look === "line") return line;
  if (look === "bars") {
    const [first, second] = places;
    const width = fixed(first && second ? (second.px - first.px) * 0.92 : 12);
    const foot = HEIGHT - MARGIN.bottom;
    return places
      .map(
        ({ px, py }) =>
          `<rect x="${fixed(px - width / 2)}" y="${py}" width="${width}" height="${fixed(foot - py)}" fill="${colour}"/>`,
      )
      .join("");
  }
  return (
    line +
    places
      .map(({ px, py, title }) => {
        const said = title === undefined ? "" : `<title>${escaped(title)}</title>`;
        return look === "crosses"
          ? `<path d="M${px - 4} ${py - 4}l8 8m0-8l-8 8" stroke="${colour}" stroke-width="2">${said}</path>`
          : `<circle cx="${px}" cy="${py}" r="3.6" fill="${colour}">${said}</circle>`;
      })
      .join("")
  );
}

function legend(series: readonly Series[]): string {
  let at = WIDTH - MARGIN.right;
  return series
    .filter(({ points }) => points.length > 0)
    .toReversed()
    .map(({ name, colour, look }) => {
      at -= 7 * name.length + 26;
      const mark =
        look === "crosses"
          ? `<path d="M${at} 8l8 8m0-8l-8 8" stroke="${colour}" stroke-width="2"/>`
          : look === "line"
            ? `<line x1="${at - 4}" x2="${at + 9}" y1="12" y2="12" stroke="${colour}" stroke-width="2"/>`
            : `<circle cx="${at + 3}" cy="12" r="3.6" fill="${colour}"/>`;
      return `${mark}<text x="${at + 13}" y="16">${escaped(name)}</text>`;
    })
    .join("");
}

function axis(
  values: readonly number[],
  scale: "linear" | "log",
  [from, to]: readonly [number, number],
): Axis {
  if (scale === "log") {
    const good = values.filter((value) => value > 0).map(Math.log10);
    const low = Math.floor(Math.min(...good));
    const high = Math.max(low + 1, Math.ceil(Math.max(...good)));
    return {
      at: (value) => from + ((Math.log10(Math.max(value, 10 ** low)) - low) / (high - low)) * (to - from),
      ticks: Array.from({ length: high - low + 1 }, (_, i) => 10 ** (low + i)),
    };
  }
  const most = Math.max(...values) || 1;
  const step = niceStep(most / 5);
  const high = Math.ceil(most / step) * step;
  return {
    at: (value) => from + (value / high) * (to - from),
    ticks: Array.from({ length: Math.round(high / step) + 1 }, (_, i) => i * step),
  };
}

function niceStep(raw: number): number {
  const power = 10 ** Math.floor(Math.log10(raw));
  return ([1, 2, 2.5, 5, 10].find((factor) => factor * power >= raw) ?? 10) * power;
}

function short(value: number): string {
  return value >= 10_000
    ? `${Number((value / 1_000).toPrecision(3))}k`
    : String(Number(value.toPrecision(3)));
}

function fixed(value: number): number {
  return Math.round(value * 10) / 10;
}

export function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
