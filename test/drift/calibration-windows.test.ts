import { describe, expect, it } from "vitest";
import { calibrationWindows } from "../../drift/calibration-windows.ts";
import { total } from "../../drift/scaled-distance.ts";

const block = (n: number) => [n, 10 - n];
const blocks = (length: number) => Array.from({ length }, (_, i) => block(i % 3));

describe("the baseline's own windows", () => {
  it("are as long as the monitored one where the baseline is long enough", () => {
    const windows = calibrationWindows(blocks(84), 7);
    expect(windows).toHaveLength(12);
    expect(windows.every(({ counts }) => total(counts) === 70)).toBe(true);
  });

  it("are compared with the rest, neighbours left out", () => {
    const windows = calibrationWindows(blocks(30), 1);
    expect(windows).toHaveLength(30);
    expect(total(windows[0]?.reference ?? [])).toBe(280); // the first has one neighbour
    expect(total(windows[5]?.reference ?? [])).toBe(270);
  });

  it("are shorter where the baseline is too short for twelve", () => {
    const windows = calibrationWindows(blocks(31), 7);
    expect(windows).toHaveLength(15);
    expect(windows.every(({ counts }) => total(counts) === 20)).toBe(true);
  });

  it("leave out windows with less than half the usual rows", () => {
    const sparse = blocks(20).map((counts, i) => (i === 4 ? [1, 1] : i === 9 ? [0, 0] : counts));
    expect(calibrationWindows(sparse, 1)).toHaveLength(18);
  });

  it("are none where there is nothing to cut", () => {
    expect(calibrationWindows([], 1)).toEqual([]);
    expect(calibrationWindows([[5, 5]], 1)).toEqual([]);
  });
});
