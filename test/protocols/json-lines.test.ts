import { describe, expect, it } from "vitest";
import { parseJsonLines } from "../../protocols/json-lines.ts";
import { bytesOf } from "./payload.ts";

const limits = { lines: 3, nesting: 4 };

describe("parseJsonLines", () => {
  it.each([
    { text: "", values: [] },
    { text: "\n \r\n\t\n", values: [] },
    { text: "1", values: [1] },
    { text: "1\n", values: [1] },
    { text: "1\r\n2\r\n", values: [1, 2] },
    { text: "1\n\n2\n\n", values: [1, 2] },
    { text: '\ufeff{"a":1}\n', values: [{ a: 1 }] },
    { text: '{"a":"x\\ny"}\n"\u2028"\n', values: [{ a: "x\ny" }, "\u2028"] },
    { text: "9007199254740993\nNaN", values: [9007199254740993n, Number.NaN] },
  ])("$text gives $values", ({ text, values }) => {
    expect(parseJsonLines(bytesOf(text), limits)).toEqual(values);
  });

  it.each([
    { text: '{"a":1}\n\n{"a":\n', says: /^line 3: not JSON/ },
    { text: '{"a":1}{"a":2}\n', says: /^line 1: not JSON/ },
    { text: "1\n[[[[[1]]]]]\n", says: /^line 2: the JSON is nested more than 4 levels deep/ },
    { text: "1\n2\n3\n4\n", says: /^more than 3 lines/ },
    { text: "1\r2\n", says: /^line 1: not JSON/ },
  ])("$text is refused: $says", ({ text, says }) => {
    expect(() => parseJsonLines(bytesOf(text), limits)).toThrow(says);
  });

  it("a line that is not UTF-8 is named", () => {
    expect(() => parseJsonLines(Uint8Array.of(0x31, 0x0a, 0x22, 0xff, 0x22), limits)).toThrow(
      "line 2: the text is not UTF-8",
    );
  });
});
