import { describe, expect, it } from "vitest";
import { mailText } from "../../alerts/mail-text.ts";
import { alertStory, summaryOfWindow, windowText } from "../../alerts/story.ts";
import type { Alert } from "../../schema/alert.ts";
import type { WindowResult } from "../../schema/drift-result.ts";
import { firing } from "./firing-alert.ts";
import { distanceInKilometres, originShifted, windowResult } from "./window-result.ts";

const publicUrl = "http://127.0.0.1:8420";
const tell = (
  result: WindowResult,
  alert: Partial<Alert> = {},
  occasion: "fire" | "remind" | "resolve" = "fire",
) =>
  alertStory({
    alert: { ...firing, summary: summaryOfWindow(result), ...alert },
    occasion,
    result,
    publicUrl,
  });

describe("the story of an alert", () => {
  it.each([
    { occasion: "fire", subject: "[leeway] flights: 1 feature drifted in 2001-04-01 (daily)" },
    { occasion: "remind", subject: "[leeway] reminder: flights: 1 feature drifted in 2001-04-01 (daily)" },
  ] as const)("on $occasion is about: $subject", ({ occasion, subject }) => {
    expect(tell(windowResult("drifted"), {}, occasion).subject).toBe(subject);
  });

  it("when it is over says what is over", () => {
    const story = tell(windowResult("stable", { day: 5 }), { summary: "1 feature drifted" }, "resolve");
    expect(story.subject).toBe("[leeway] resolved: flights: 1 feature drifted, over in 2001-04-05 (daily)");
    expect(story.summary).toBe("What began with the window from 2001-04-01 is over: stable for a reason.");
    expect(story.features).toEqual([]);
    expect(story.acknowledge).toBeNull();
  });

  it.each([
    { from: "2001-04-01T00:00:00Z", to: "2001-04-02T00:00:00Z", text: "2001-04-01" },
    { from: "2001-04-02T00:00:00Z", to: "2001-04-09T00:00:00Z", text: "2001-04-02 to 2001-04-08" },
    { from: "2001-04-01T10:00:00Z", to: "2001-04-01T11:00:00Z", text: "2001-04-01 10:00 to 11:00 UTC" },
    {
      from: "2001-04-01T12:00:00Z",
      to: "2001-04-02T12:00:00Z",
      text: "2001-04-01 12:00 to 2001-04-02 12:00 UTC",
    },
  ])("calls the window $text", ({ from, to, text }) => {
    expect(windowText(from, to)).toBe(text);
  });

  it.each([
    { result: windowResult("drifted"), summary: "1 feature drifted" },
    {
      result: windowResult("drifted", { columns: [originShifted, { ...originShifted, name: "b" }] }),
      summary: "2 features drifted",
    },
    { result: windowResult("quality"), summary: "data fault in distance" },
    {
      result: windowResult("quality", { columns: [distanceInKilometres, originShifted] }),
      summary: "data fault in distance (1 feature drifted with it)",
    },
    { result: windowResult("error"), summary: "the check failed" },
  ])("in short: $summary", ({ result, summary }) => {
    expect(summaryOfWindow(result)).toBe(summary);
  });

  it("names faults before drift, with cause, figures and the budget they were held to", () => {
    const story = tell(windowResult("quality", { columns: [originShifted, distanceInKilometres] }));
    expect(story.features.map(({ name, verdict, cause }) => ({ name, verdict, cause }))).toEqual([
      { name: "distance", verdict: "quality", cause: distanceInKilometres.cause?.detail },
      { name: "origin", verdict: "drifted", cause: null },
    ]);
    expect(story.features[1]?.evidence).toBe(
      "Moved by 0.231 on a scale from 0 (the same) to 1 (nothing in common); 0.1 is the least that matters. By chance alone: p = 0.000042.",
    );
    expect(story.facts).toContainEqual({ name: "Owner", value: "data-team@example.org" });
    expect(story.background).toContainEqual({
      name: "False alarms",
      value: "held to 0.01 per window without drift, over all columns",
    });
  });

  it("states a budget per time as it was set", () => {
    const result = windowResult("drifted");
    const budget = { ...result.dataset.budget, false_alarms: "1/30d", per_window: 1 / 30 };
    const story = tell({ ...result, dataset: { ...result.dataset, budget } });
    expect(story.background).toContainEqual({
      name: "False alarms",
      value: "held to 1 in 30d: 0.03333 per window without drift",
    });
  });

  it("of a hundred features shows the worst and counts the others", () => {
    const columns = Array.from({ length: 100 }, (_, i) => ({
      ...originShifted,
      name: `f${i}`,
      effect: i / 100,
    }));
    const story = tell(windowResult("drifted", { columns }));
    expect(story.features.map(({ name }) => name)).toEqual([
      "f99",
      "f98",
      "f97",
      "f96",
      "f95",
      "f94",
      "f93",
      "f92",
    ]);
    expect(story.featuresLeftOut).toBe(92);
  });

  it("links to the window, with every name encoded", () => {
    const story = tell(windowResult("drifted", { model: "a/b?c", monitor: "x&y" }));
    expect(story.link).toBe(
      "http://127.0.0.1:8420/v1/models/a%2Fb%3Fc/drift?monitor=x%26y&from=2001-04-01T00%3A00%3A00.000Z&to=2001-04-02T00%3A00%3A00.000Z",
    );
  });

  it("keeps a subject to one line whatever the names hold", () => {
    const columns = [{ ...distanceInKilometres, name: "a\r\nBcc: everyone@example.org\u2028b" }];
    const { subject } = tell(windowResult("quality", { columns }));
    expect(subject).toBe(
      "[leeway] flights: data fault in a Bcc: everyone@example.org b in 2001-04-01 (daily)",
    );
  });

  it("as text can be read on its own", () => {
    const text = mailText(tell(windowResult("quality")));
    expect(text).toContain("Likely cause: values are 1.609 times those of the baseline");
    expect(text).toContain("  mean                 726.4 -> 1,169.1  (+60.9 %)");
    expect(text).toContain("  share of above 900   30.0 % -> 60.8 %");
    expect(text.match(/distance/g)).toHaveLength(2); // headline and details: one feature needs no overview
    expect(text).toContain(`curl -X POST ${publicUrl}/v1/alerts/${firing.id}/ack`);
  });

  it("as text lists all features in a line each, and the worst in detail", () => {
    const columns = [distanceInKilometres, ...["a", "b", "c"].map((name) => ({ ...originShifted, name }))];
    const text = mailText(tell(windowResult("quality", { columns })));
    expect(text).toContain("  distance  data fault, mean 726.4 -> 1,169.1\n");
    for (const name of ["a", "b", "c"])
      expect(text).toContain(`  ${name}         drifted, share of ATL 46.3 % -> 25.0 %\n`);
    expect(text).toContain("b: drifted\n----------");
    expect(text).not.toContain("c: drifted\n");
  });
});
