const BAR = 28;

export interface Progress {
  /** How far it is, out of `total`, and a word on what is being done. */
  update(done: number, note?: string): void;
  /** Ends the bar's line. */
  end(): void;
}

/**
 * Shows how far long work is: a bar that stays in its line on a terminal, otherwise a plain line at every tenth.
 *
 * @param total - What `update` counts up to; a bar without it shows the note only.
 */
export function startProgress(
  label: string,
  total: number,
  to: { write(text: string): unknown; readonly isTTY?: boolean | undefined } = process.stderr,
): Progress {
  let shown = -1;
  let line: "begun" | "none" = "none";
  return {
    update: (done, note = "") => {
      const share = total > 0 ? Math.min(1, done / total) : 0;
      const step = Math.floor(share * (to.isTTY ? 1_000 : 10));
      if (step === shown && !(to.isTTY && note !== "")) return;
      shown = step;
      const percent = `${Math.round(share * 100)} %`;
      if (to.isTTY) {
        const full = Math.round(share * BAR);
        to.write(`\r\u001b[K${label} ${"█".repeat(full)}${"░".repeat(BAR - full)} ${percent} ${note}`);
        line = "begun";
      } else {
        to.write(`${[label, percent, note].filter((part) => part !== "").join(" ")}\n`);
      }
    },
    end: () => {
      if (line === "begun") to.write("\n");
      line = "none";
    },
  };
}
