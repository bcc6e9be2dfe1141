import { painterFor } from "../app/paint.ts";
import { type Progress, startProgress } from "../app/progress.ts";

const WIDTH = 100;
const INDENT = 12;

/** Tells the story line by line, around a progress bar where there is one. */
export interface Narrator {
  heading(text: string): void;
  /** A paragraph; `at` stands before it: a date, mostly. */
  say(text: string, at?: string): void;
  /** Somebody else's words, set apart. */
  quote(text: string): void;
  /** As it stands: a table. */
  print(text: string): void;
  progress(label: string, total: number): Progress;
}

type Out = { write(text: string): unknown; readonly isTTY?: boolean | undefined };

export function openNarrator(out: Out, env: Readonly<Record<string, string | undefined>>): Narrator {
  const paint = painterFor(out, env);
  const clear = out.isTTY ? "\r\u001b[K" : ""; // the bar's line, if any, is drawn anew below
  const write = (text: string) => out.write(`${clear}${text}\n`);
  return {
    heading: (text) => write(`\n${paint(text, "bold")}`),
    say: (text, at = "") => {
      const [first = "", ...rest] = wrap(text, WIDTH - INDENT);
      write(`${paint(at.padEnd(INDENT), "dim")}${first}`);
      for (const line of rest) write(`${" ".repeat(INDENT)}${line}`);
    },
    quote: (text) => {
      for (const line of text.trimEnd().split("\n"))
        write(`${" ".repeat(INDENT)}${paint("|", "dim")} ${line}`);
    },
    print: (text) => write(text),
    progress: (label, total) => startProgress(label, total, out),
  };
}

/** Breaks a text into lines of at most `width` characters, at spaces. */
function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).filter((part) => part !== "")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return line === "" && lines.length > 0 ? lines : [...lines, line];
}
