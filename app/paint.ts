export type Paint = "red" | "green" | "yellow" | "bold" | "dim";

const CODES: Readonly<Record<Paint, readonly [on: number, off: number]>> = {
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  bold: [1, 22],
  dim: [2, 22],
};

/** Colours a text, or leaves it. */
export type Painter = (text: string, paint: Paint) => string;

/** Colours on a terminal only, and never when `NO_COLOR` is set (no-color.org). */
export function painterFor(
  to: { readonly isTTY?: boolean | undefined },
  env: Readonly<Record<string, string | undefined>>,
): Painter {
  const plain = !to.isTTY || (env.NO_COLOR ?? "") !== "" || env.TERM === "dumb";
  if (plain) return (text) => text;
  return (text, paint) => {
    const [on, off] = CODES[paint];
    return `\u001b[${on}m${text}\u001b[${off}m`;
  };
}
