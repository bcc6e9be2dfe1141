import type { z } from "zod";

/** Names from users can be very long; the path is to be read. */
const LONGEST_PATH = 300;

/** One wrong place in a record: `inputs.age`, `outputs["odd name"]`. */
export interface RecordIssue {
  readonly path: string;
  readonly message: string;
}

/** What zod found wrong, in words for whoever sent the record. */
export function issuesOf(error: z.ZodError): RecordIssue[] {
  return error.issues.map((issue) => ({ path: pathText(issue.path), message: messageOf(issue) }));
}

function messageOf(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_key") return issue.issues[0]?.message ?? issue.message;
  if (issue.code === "invalid_union") {
    return issue.path[0] === "id"
      ? "expected text of 1 to 512 characters or a whole number"
      : issue.path[0] === "label"
        ? "expected text, a number, true or false"
        : "expected text, a finite number, true, false, null, a list or an object";
  }
  return issue.message;
}

/** `inputs.age`; names that are no plain words are quoted. */
export function pathText(path: readonly PropertyKey[]): string {
  const text = path
    .map((part, i) =>
      typeof part === "number"
        ? `[${part}]`
        : /^[\w$]+$/.test(String(part))
          ? `${i > 0 ? "." : ""}${String(part)}`
          : `[${JSON.stringify(String(part))}]`,
    )
    .join("");
  return text.length > LONGEST_PATH ? `${text.slice(0, LONGEST_PATH)}…` : text;
}
