import { describe, expect, it } from "vitest";
import { compareRequestOf } from "../../app/compare-flags.ts";
import { comparison } from "../../profiler/compare-candidates.ts";
import { comparisonText } from "../../profiler/report/comparison-text.ts";
import { profileText } from "../../profiler/report/profile-text.ts";
import { seededRandom } from "../../profiler/seeded-random.ts";
import { type ProfileWindow, profileComparison } from "../../schema/profile.ts";
import { sampleProfile } from "./sample-profile.ts";

const flags = {
  header: [],
  rows: "object",
  expectStatus: "200-299",
  timeout: "10",
  readyTimeout: "60",
  rate: "30",
  slo: "p99=80ms",
  arrivals: "poisson",
  maxRequests: "1000",
  seed: "1",
  pairs: "12",
  window: "3",
} as const;
const request = compareRequestOf("serve-a", "serve-b", flags);

/** Pairs of windows in which B takes so much more CPU time, on a machine whose pace changes from pair to pair. */
function pairs(moreCores: number): { readonly a: ProfileWindow; readonly b: ProfileWindow }[] {
  const random = seededRandom(9);
  const [base] = sampleProfile().windows;
  if (!base) throw new RangeError("the sample has no window");
  return Array.from({ length: 8 }, () => {
    const pace = 0.2 + 0.1 * random();
    const window = (more: number): ProfileWindow => ({
      ...base,
      phase: "compare",
      load: "open",
      seconds: 3,
      requests: 90,
      ok: 90,
      cpu_cores: pace + more + 0.004 * random(),
    });
    return { a: window(0), b: window(moreCores) };
  });
}
const around = { limiter: "cgroup-v2", leewayVersion: "0.1.0" };

describe("a comparison", () => {
  it("says which figures really differ", () => {
    const found = profileComparison.parse(comparison(request, pairs(0.05), around));
    const verdicts = new Map(found.figures.map(({ name, verdict }) => [name, verdict]));
    expect(verdicts.get("cpu_per_request")).toBe("a-smaller");
    expect(verdicts.get("p50")).toBe("no-difference");
    expect(found.windows).toHaveLength(16);
    expect(comparisonText(found)).toMatch(/CPU per request .* A is smaller/);
    expect(comparisonText(found)).toMatch(/p50 .* no difference/);
  });

  it("says no difference when there is none to speak of, however certain it is", () => {
    const cpu = comparison(request, pairs(0), around).figures.find(({ name }) => name === "cpu_per_request");
    expect(cpu?.verdict).toBe("no-difference");
    const tiny = comparison(request, pairs(0.001), around).figures.find(
      ({ name }) => name === "cpu_per_request",
    );
    expect(tiny?.verdict).toBe("no-difference");
  });

  it("leaves out what was not measured in every window", () => {
    const some = pairs(0).map((pair, i) =>
      i === 0 ? { ...pair, a: { ...pair.a, held_peak_bytes: null } } : pair,
    );
    expect(comparison(request, some, around).figures.map(({ name }) => name)).not.toContain("memory");
  });
});

describe("what is compared", () => {
  it("is a command or an address, each with the same load", () => {
    const { a, b, limits } = compareRequestOf("serve {port}", "http://127.0.0.1:9/x?y=1", {
      ...flags,
      cpu: "0.5",
      memory: "64",
    });
    expect(a.candidate).toMatchObject({ kind: "command", command: "serve {port}" });
    expect(b).toMatchObject({
      candidate: { kind: "url", origin: "http://127.0.0.1:9" },
      load: { path: "/x?y=1" },
    });
    expect(limits).toEqual({ cpu: 0.5, memoryBytes: 64 * 1024 * 1024 });
  });

  it.each([
    [{ pairs: "2" }, /--pairs 2: expected a number from 3/],
    [{ window: "0" }, /--window 0/],
    [{ cpu: "none" }, /--cpu none/],
  ])("is refused with %j", (change, message) => {
    expect(() => compareRequestOf("a", "b", { ...flags, ...change })).toThrow(message);
  });
});

it("a profile on a terminal says the answer, the evidence, the windows and the doubts", () => {
  const text = profileText(sampleProfile());
  for (const part of [
    "CPU        0.4 cores",
    "memory     112 MiB",
    "one step less (0.3)",
    "grade B",
    "p99 over rate",
    "verification",
  ]) {
    expect(text).toContain(part);
  }
  expect(Math.max(...text.split("\n").map(({ length }) => length))).toBeLessThan(120);
});
