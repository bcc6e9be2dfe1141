import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JsonCursor } from "../../collector/json-cursor.ts";

function opened(text: string): JsonCursor {
  const bytes = Buffer.from(text);
  const cursor = new JsonCursor();
  cursor.open(bytes, 0, bytes.length);
  return cursor;
}

/** Whether the cursor takes the whole text as one value. */
function takes(text: string): boolean {
  const cursor = opened(text);
  return cursor.skip() && cursor.peek() === -1;
}

function parses(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** JSON text with some characters removed, doubled or replaced. */
const spoiltJson = fc
  .tuple(
    fc.json(),
    fc.array(
      fc.tuple(fc.nat(), fc.constantFrom("", "0", "-", ".", "e", '"', "\\", ",", "}", "]", "\u0001", "u")),
    ),
  )
  .map(([text, changes]) =>
    changes.reduce((spoilt, [at, letter]) => {
      const place = at % (spoilt.length + 1);
      return spoilt.slice(0, place) + letter + spoilt.slice(place + 1);
    }, text),
  );

const numberText = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
  fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }).map(String),
  fc
    .tuple(fc.boolean(), fc.bigInt({ min: 0n, max: 10n ** 21n }), fc.nat(24))
    .map(([negative, digits, scale]) => {
      const text = String(digits).padStart(scale + 1, "0");
      return `${negative ? "-" : ""}${text.slice(0, text.length - scale)}.${text.slice(text.length - scale)}0`;
    }),
  fc
    .tuple(fc.integer(), fc.constantFrom("e", "E"), fc.constantFrom("", "+", "-"), fc.nat(330))
    .map(([whole, e, sign, exponent]) => `${whole}${e}${sign}${exponent}`),
);

describe("the cursor", () => {
  it("takes nothing that JSON.parse refuses", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          spoiltJson,
          fc.string(),
          numberText.map((text) => `${text}0.`),
        ),
        (text) => {
          if (takes(text)) expect(parses(text), text).toBe(true);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it("takes all usual JSON, with white space of any kind", () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 5 }), fc.constantFrom("", " ", "\t", "\n  "), (value, space) => {
        expect(takes(`${space}${JSON.stringify(value, null, space)}${space}`)).toBe(true);
      }),
    );
  });

  it.each([
    "",
    " ",
    "nul",
    "truee",
    "01",
    "-",
    "1.",
    ".5",
    "+1",
    "1e",
    "[1,]",
    '{"a":1,}',
    '{"a"}',
    '"\\x"',
    '"\\u12g4"',
    '"\n"',
    "[",
    '"',
    "1 2",
    "NaN",
    "Infinity",
    "\u00a01",
  ])("refuses %j", (text) => expect(takes(text)).toBe(false));

  it("reads numbers as Number does, to the last bit", () => {
    fc.assert(
      fc.property(numberText, (text) => {
        const cursor = opened(text);
        const taken = cursor.number();
        expect(taken, text).toBe(Number.isFinite(Number(text)));
        if (taken) expect(Object.is(cursor.value, Number(text)), `${text}: ${cursor.value}`).toBe(true);
        expect(cursor.at).toBe(text.length);
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    "9007199254740993",
    "9007199254740992.5",
    "0.1000000000000000055511151231257827",
    "1.7976931348623157e308",
    "4.9e-324",
    "5e-325",
    "-0",
    "-0.0",
    "0.30000000000000004",
    "8.41470984807896507e-1",
    "123456789012345678",
    "2.2250738585072011e-308",
  ])("reads %s as JSON.parse does", (text) => {
    const cursor = opened(text);
    expect(cursor.number()).toBe(true);
    expect(Object.is(cursor.value, JSON.parse(text))).toBe(true);
  });

  it("reads strings whose bounds hold what JSON.parse makes of them", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (value) => {
        const text = JSON.stringify(value);
        const cursor = opened(text);
        expect(cursor.string()).toBe(true);
        const between = Buffer.from(cursor.bytes.subarray(cursor.from, cursor.to)).toString();
        expect(cursor.escaped ? JSON.parse(`"${between}"`) : between).toBe(value);
      }),
    );
  });

  it("leaves nesting beyond the limit to others instead of running out of stack", () => {
    expect(takes(`${"[".repeat(100)}${"]".repeat(100)}`)).toBe(true);
    expect(takes(`${"[".repeat(101)}${"]".repeat(101)}`)).toBe(false);
    expect(takes("[".repeat(1_000_000))).toBe(false);
  });
});
