import { describe, expect, it } from "vitest";
import { fitOf } from "../../retrain-trigger/run-status.ts";
import {
  isToken,
  newRunToken,
  RUN_TOKEN_PREFIX,
  runTokenOf,
  tokenHash,
} from "../../retrain-trigger/status-token.ts";
import type { RetrainReport, RetrainStatus } from "../../schema/retrain.ts";

const FITS: readonly (readonly [RetrainStatus, RetrainReport["status"], string])[] = [
  ["requested", "started", "new"],
  ["requested", "completed", "new"],
  ["requested", "failed", "new"],
  ["started", "started", "new"],
  ["started", "completed", "new"],
  ["started", "failed", "new"],
  ["completed", "started", "nonsense"],
  ["completed", "completed", "nonsense"],
  ["completed", "failed", "nonsense"],
  ["failed", "started", "nonsense"],
  ["failed", "completed", "nonsense"],
  ["failed", "failed", "nonsense"],
];

describe("a report", () => {
  it.each(FITS)("on a run that is %s and says %s is %s", (status, reported, fit) => {
    expect(fitOf(status, { status: reported, message: "2" }, { status: reported, message: "1" })).toBe(fit);
  });

  it("that says the very same again is a repeat, also when the run is over", () => {
    const report: RetrainReport = { status: "completed", version: "2", metrics: { auc: 0.9 } };
    expect(fitOf("completed", structuredClone(report), report)).toBe("repeat");
    expect(fitOf("completed", { ...report, metrics: { auc: 0.91 } }, report)).toBe("nonsense");
  });
});

describe("a run's token", () => {
  it("is known by its hash, and by nothing else", () => {
    const token = newRunToken();
    expect(token).toMatch(/^lwr_[\w-]{43}$/);
    expect(isToken(token, tokenHash(token))).toBe(true);
    expect(isToken(newRunToken(), tokenHash(token))).toBe(false);
    expect(isToken("", tokenHash(token))).toBe(false);
    expect(tokenHash(token)).not.toContain(token.slice(RUN_TOKEN_PREFIX.length));
  });

  it.each([
    { header: "Bearer lwr_abc", token: "lwr_abc" },
    { header: "bearer  lwr_abc", token: "lwr_abc" },
    { header: "Bearer lwk_abc", token: undefined },
    { header: "Basic lwr_abc", token: undefined },
    { header: "lwr_abc", token: undefined },
    { header: undefined, token: undefined },
  ])("in the header $header is $token", ({ header, token }) => {
    expect(runTokenOf(header)).toBe(token);
  });
});
