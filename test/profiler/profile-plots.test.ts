import { describe, expect, it } from "vitest";
import { newHistogram, recordMs } from "../../profiler/latency-histogram.ts";
import { latencyBars } from "../../profiler/report/profile-plots.ts";

function barsOf(latencies: readonly number[]) {
  const histogram = newHistogram();
  for (const ms of latencies) recordMs(histogram, ms);
  return latencyBars(histogram);
}

describe("the histogram of latencies", () => {
  it("has no bars of no requests", () => expect(barsOf([])).toEqual([]));

  it("gives one latency one bar, of all requests", () => {
    const [bar, ...others] = barsOf(Array.from({ length: 30 }, () => 5));
    expect(bar?.y).toBe(100);
    expect(bar?.x).toBeGreaterThan(4.5);
    expect(bar?.x).toBeLessThan(5.5);
    expect(others).toEqual([]);
  });

  it("shows a second hump where it lies, with empty bars between, and all of it is 100 %", () => {
    const bars = barsOf([...Array.from({ length: 75 }, () => 2), ...Array.from({ length: 25 }, () => 200)]);
    expect(bars[0]?.y).toBe(75);
    expect(bars.at(-1)?.y).toBe(25);
    expect(bars.slice(1, -1).every(({ y }) => y === 0)).toBe(true);
    expect(bars.at(-1)?.x).toBeGreaterThan(180);
    expect(bars.reduce((sum, { y }) => sum + y, 0)).toBeCloseTo(100, 9);
  });
});
