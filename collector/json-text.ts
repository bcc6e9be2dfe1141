/** Nested values deeper than this are refused: whoever reads them later would recurse as deep. */
export const DEEPEST_NESTING = 100;

/** The text with halves of surrogate pairs replaced by U+FFFD: they have no UTF-8. */
export function wellFormedText(text: string): string {
  return /[\ud800-\udfff]/.test(text) ? Buffer.from(text).toString() : text;
}

/** JSON of a value that `JSON.parse` made, halves of surrogate pairs replaced; undefined when it is nested too deeply. */
export function jsonOf(value: unknown): string | undefined {
  if (!isNestedWithin(value, DEEPEST_NESTING)) return undefined;
  // JSON.stringify writes such a half, and nothing else, as \ud…; two backslashes are one character of a text.
  return JSON.stringify(value).replace(/\\(?:ud[89a-f][0-9a-f]{2}|.)/g, (escaped) =>
    escaped.startsWith("\\ud") ? "\\ufffd" : escaped,
  );
}

function isNestedWithin(value: unknown, levels: number): boolean {
  if (value === null || typeof value !== "object") return true;
  if (levels === 0) return false;
  return Object.values(value).every((item) => isNestedWithin(item, levels - 1));
}
