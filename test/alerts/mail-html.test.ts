import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mailHtml } from "../../alerts/mail-html.ts";
import { alertStory, summaryOfWindow } from "../../alerts/story.ts";
import type { WindowResult } from "../../schema/drift-result.ts";
import { firing } from "./firing-alert.ts";
import { distanceInKilometres, originShifted, windowResult } from "./window-result.ts";

const html = (result: WindowResult) =>
  mailHtml(
    alertStory({
      alert: { ...firing, summary: summaryOfWindow(result) },
      occasion: "fire",
      result,
      publicUrl: "http://127.0.0.1:8420",
    }),
  );

/** Elements of the page; whatever users' data adds to them has broken out. */
const elements = (page: string) => (page.match(/<[a-z!/][^>]*>/gi) ?? []).length;

describe("the HTML of a mail", () => {
  it("fetches nothing and runs nothing", () => {
    const page = html(windowResult("quality", { columns: [distanceInKilometres, originShifted] }));
    expect(page).not.toMatch(
      /<(script|style|link|img|iframe|svg|form|base)\b|\bsrc=|url\(|@import|\bon[a-z]+=/i,
    );
    expect(page.match(/href="[^"]*"/g)).toEqual([
      'href="http://127.0.0.1:8420/v1/models/flights/drift?monitor=daily&amp;from=2001-04-01T00%3A00%3A00.000Z&amp;to=2001-04-02T00%3A00%3A00.000Z"',
    ]);
  });

  it("shows hostile names as they are", () => {
    const name = `"><img src=x onerror='alert(1)'>&`;
    const page = html(windowResult("quality", { columns: [{ ...distanceInKilometres, name }] }));
    expect(page).toContain("&quot;&gt;&lt;img src=x onerror=&#39;alert(1)&#39;&gt;&amp;");
    expect(page).not.toContain("<img");
  });

  it("has the same elements whatever texts stand in it", () => {
    const usual = elements(html(withTexts("x")));
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom("<", ">", '"', "'", "&", "/", "a", "=", " ") }),
        (text) => {
          expect(elements(html(withTexts(`x${text}`)))).toBe(usual);
        },
      ),
    );
  });

  it("keeps to colours that can be read on white and on black", () => {
    const page = html(windowResult("quality", { columns: [distanceInKilometres, originShifted] }));
    const colours = new Set(
      [...page.matchAll(/[;"]color:(#[0-9a-f]{6})\b/g)].map(([, colour]) => colour ?? ""),
    );
    expect(colours.size).toBeGreaterThan(2);
    for (const colour of colours) {
      const brightness = luminance(colour);
      expect(1.05 / (brightness + 0.05), `${colour} on white`).toBeGreaterThan(3);
      expect((brightness + 0.05) / 0.055, `${colour} on near-black`).toBeGreaterThan(3);
    }
  });
});

describe("the look of a mail", () => {
  it("has one accent colour beside greys", () => {
    const page = html(windowResult("quality", { columns: [distanceInKilometres, originShifted] }));
    const accents = [...new Set(page.match(/#[0-9a-f]{6}(?![0-9a-f])/g))].filter(isColourful);
    expect(accents).toEqual(["#d9480f"]);
  });

  it("begins with a table of all features, then and now", () => {
    const columns = [distanceInKilometres, ...["a", "b", "c"].map((name) => ({ ...originShifted, name }))];
    const page = html(windowResult("quality", { columns }));
    const [overview = ""] = page.match(/<table (?!role).*?<\/table>/s) ?? [];
    expect(
      overview
        .replace(/<[^>]+>/g, " ")
        .split(/\s{2,}/)
        .filter((word) => word !== ""),
    ).toEqual([
      "baseline",
      "now",
      ...["distance", "data fault, mean", "726.4", "1,169.1"],
      ...["a", "b", "c"].flatMap((name) => [name, "drifted, share of ATL", "46.3 %", "25.0 %"]),
    ]);
  });
});

/** A grey may lean a little to one side. */
function isColourful(colour: string): boolean {
  const channels = [1, 3, 5].map((at) => Number.parseInt(colour.slice(at, at + 2), 16));
  return Math.max(...channels) - Math.min(...channels) > 24;
}

function withTexts(text: string): WindowResult {
  const categories = (counts: readonly number[]) => ({
    count: 100,
    missing: 0,
    categories: counts.map((count, i) => ({ category: `${text}${i}`, count })),
  });
  return windowResult("quality", {
    version: text,
    columns: [
      {
        ...originShifted,
        name: text,
        baseline: categories([10, 90]),
        current: categories([90, 10]),
      },
      { ...distanceInKilometres, name: text, cause: { kind: "unit-change", detail: text }, reason: text },
    ],
  });
}

/** Relative luminance (WCAG 2): 0 black, 1 white. */
function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const channel = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return channel <= 0.040_45 ? channel / 12.92 : ((channel + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
