import { describe, expect, it } from "vitest";
import { judgeCanary, sequentialTest } from "../../deployer/canary-guard.ts";
import { countRequest, emptyCounts, type VersionCounts } from "../../deployer/replica/counts.ts";
import { seededRandom } from "../../drift/distributions/random.ts";
import { canaryGuard } from "../../schema/deployment.ts";

const guard = canaryGuard.parse({});

function counted(
  calls: number,
  { failures = 0, ms = 2 }: { failures?: number; ms?: number } = {},
): VersionCounts {
  const counts = emptyCounts();
  for (let call = 0; call < calls; call++)
    countRequest(counts, { protocol: "v2", status: call < failures ? 500 : 200, seconds: ms / 1000 });
  return counts;
}

describe("the sequential test", () => {
  const shares = { accepted: 0.01, rejected: 0.06 };
  const errors = { falseReject: 0.01, falseAccept: 0.05 };
  it.each([
    { trials: 0, hits: 0, says: "continue" },
    { trials: 3, hits: 3, says: "reject" }, // 3 ln 6 = 5.4 > ln 95 = 4.55
    { trials: 2, hits: 2, says: "continue" },
    { trials: 40, hits: 5, says: "reject" },
    { trials: 57, hits: 0, says: "continue" }, // 57 ln(0.94 / 0.99) = -2.95 > ln(0.05 / 0.99) = -2.99
    { trials: 58, hits: 0, says: "accept" },
  ])("$hits of $trials: $says", ({ trials, hits, says }) => {
    expect(sequentialTest({ trials, hits }, shares, errors)).toBe(says);
  });

  it("rejects what is true no more often than it promises, however often it looks", () => {
    const random = seededRandom(7);
    let rejected = 0;
    for (let run = 0; run < 2_000; run++) {
      let hits = 0;
      for (let trials = 1; trials <= 500; trials++) {
        if (random() < shares.accepted) hits += 1;
        const verdict = sequentialTest({ trials, hits }, shares, errors);
        if (verdict === "reject") rejected += 1;
        if (verdict !== "continue") break;
      }
    }
    expect(rejected / 2_000).toBeLessThan(0.015); // 0.01 and the noise of 2,000 runs
  });

  it("takes no shares that are none", () => {
    expect(() => sequentialTest({ trials: 1, hits: 0 }, { accepted: 0.1, rejected: 0.1 }, errors)).toThrow(
      RangeError,
    );
  });
});

describe("a canary", () => {
  it.each([
    { what: "as good as the stable version", canary: counted(500), action: "go-on" },
    { what: "that has hardly been called", canary: counted(2, { failures: 2 }), action: "go-on" },
    { what: "that fails at one in five", canary: counted(50, { failures: 10 }), action: "withdraw" },
    { what: "that is ten times as slow", canary: counted(50, { ms: 20 }), action: "withdraw" },
    { what: "that is a little slower", canary: counted(500, { ms: 3 }), action: "go-on" },
  ])("$what: $action", ({ canary, action }) => {
    expect(judgeCanary(counted(1_000), canary, guard).action).toBe(action);
  });

  it("is not judged before there is something to compare it with, nor when that is not wanted", () => {
    const bad = counted(100, { failures: 100 });
    expect(judgeCanary(counted(10), bad, guard).action).toBe("go-on");
    expect(judgeCanary(counted(1_000), bad, { ...guard, action: "none" }).action).toBe("go-on");
  });
});
