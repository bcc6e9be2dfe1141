import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { instantOf, readTimestamp } from "../../collector/timestamp.ts";
import { timeText } from "../../schema/record.ts";

function read(text: string): { readonly seconds: number; readonly micros: number } | "refused" {
  const bytes = Buffer.from(text);
  const instant = { seconds: 0, micros: 0 };
  return readTimestamp(bytes, 0, bytes.length, instant) ? instant : "refused";
}

const two = (most: number) => fc.nat(most).map((value) => String(value).padStart(2, "0"));
const timeLike = fc
  .tuple(
    fc.nat(9999).map((year) => String(year).padStart(4, "0")),
    two(13),
    two(32),
    two(24),
    two(60),
    fc.option(two(60), { freq: 10 }),
    fc.option(fc.stringMatching(/^[0-9]{1,9}$/)),
    fc.oneof(
      fc.constantFrom("Z", "z", "", "+0100", "+01", "-00:00"),
      fc.tuple(two(24), two(60)).map(([h, m]) => `+${h}:${m}`),
    ),
  )
  .map(
    ([year, month, day, hour, minute, second, fraction, offset]) =>
      `${year}-${month}-${day}T${hour}:${minute}${second === null ? "" : `:${second}${fraction === null ? "" : `.${fraction}`}`}${offset}`,
  );

describe("reading a time", () => {
  it("agrees with Date", () => {
    fc.assert(
      fc.property(
        fc.date({
          min: new Date("0000-01-01T00:00:00Z"),
          max: new Date("9999-12-31T23:59:59.999Z"),
          noInvalidDate: true,
        }),
        fc.integer({ min: -1439, max: 1439 }),
        (date, offsetMinutes) => {
          expect(read(date.toISOString())).toEqual(instantOf(date));
          const shifted = new Date(date.getTime() + offsetMinutes * 60_000);
          if (shifted.getUTCFullYear() < 0 || shifted.getUTCFullYear() > 9999) return;
          const [hours, minutes] = [Math.floor(Math.abs(offsetMinutes) / 60), Math.abs(offsetMinutes) % 60];
          const offset = `${offsetMinutes < 0 ? "-" : "+"}${String(hours).padStart(2, "0")}:${String(minutes).padStart(2, "0")}`;
          expect(read(shifted.toISOString().replace("Z", offset))).toEqual(instantOf(date));
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("takes what the schema takes and nothing else", () => {
    fc.assert(
      fc.property(timeLike, (text) => {
        expect(read(text) !== "refused", text).toBe(timeText.safeParse(text).success);
      }),
      { numRuns: 5_000 },
    );
  });

  it.each([
    ["2026-02-28T23:59:59.1234567Z", 123_456],
    ["2024-02-29T00:00:00.000001Z", 1],
    ["2000-02-29T00:00:00.5+23:59", 500_000],
  ])("keeps microseconds of %s", (text, micros) => expect(read(text)).toMatchObject({ micros }));

  it.each([
    "",
    "2026",
    "2026-02-29T00:00:00Z",
    "1900-02-29T00:00:00Z",
    "2026-01-01 00:00:00Z",
    "2026-01-01T00:00:00",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:00:00.Z",
    "2026-01-01T00:00:00Zz",
    "+002026-01-01T00:00:00Z",
    "२०२६-01-01T00:00:00Z",
  ])("refuses %j, as the schema does", (text) => {
    expect(read(text)).toBe("refused");
    expect(timeText.safeParse(text).success).toBe(false);
  });
});
