import fc from "fast-check";
import { expect, it } from "vitest";
import { LineBuffer } from "../../../collector/client/line-buffer.ts";

it("gives back what was added, in bytes, batch after batch", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 9_000 });
  fc.assert(
    fc.property(fc.array(fc.array(text, { maxLength: 12 }), { minLength: 2, maxLength: 4 }), (batches) => {
      const buffer = new LineBuffer();
      for (const lines of batches) {
        for (const line of lines) buffer.add(line);
        const expected = Buffer.from(lines.map((line) => `${line}\n`).join(""));
        expect([buffer.count, buffer.bytes]).toEqual([lines.length, expected.length]);
        expect(buffer.take().equals(expected)).toBe(true);
        expect(buffer.count).toBe(0);
      }
    }),
    { numRuns: 30 },
  );
});
