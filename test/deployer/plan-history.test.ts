import { describe, expect, it } from "vitest";
import { planBefore, specAfterRollback } from "../../deployer/plan-history.ts";
import { deploymentSpec } from "../../schema/deployment.ts";
import type { StoredPlan } from "../../store/deployments.ts";

const KEY = { name: "shop", hash: `sha256:${"0".repeat(64)}` };

/** `1` for all calls to version 1, `1k` with a key, `1t` with a tag, `1+2` for a canary; `=2` repeats plan 2, `!` failed, `^` took back. */
function historyOf(text: string): StoredPlan[] {
  const words = text.split(" ");
  return words
    .map((word, at) => {
      const [, versions = "", marks = ""] = /^([\d+]+)(.*)$/.exec(word) ?? [];
      const names = versions.split("+");
      return {
        number: at + 1,
        kind: marks.includes("^") ? "automatic-rollback" : "change",
        why: null,
        created_at: "",
        outcome: marks.includes("!") ? ("failed" as const) : ("replaced" as const),
        error: null,
        repeats: /=(\d+)/.test(marks) ? Number(/=(\d+)/.exec(marks)?.[1]) : null,
        spec: deploymentSpec.parse({
          model: "m",
          versions: names.map((version) => ({ version, weight: 100 / names.length })),
          ...(marks.includes("k") ? { auth: { keys: [KEY] } } : {}),
          ...(marks.includes("t") ? { tags: { team: "shop" } } : {}),
        }),
        document: {},
      };
    })
    .reverse();
}

describe("a rollback", () => {
  it.each([
    { plans: "1", to: undefined, because: "there is nothing before" },
    { plans: "1 2", to: 1, because: "it was served before" },
    { plans: "1 1+2", to: 1, because: "a canary goes" },
    { plans: "1 1+2 2", to: 1, because: "a canary does not come back" },
    { plans: "1 2! 3", to: 1, because: "one that failed was never served" },
    { plans: "1 1+2 1^ 3", to: 1, because: "what was taken back does not come back" },
    { plans: "1 2 1=1", to: undefined, because: "it was gone back to the first" },
    { plans: "1 2 3 2=2", to: 1, because: "it was gone back to the second" },
    { plans: "1 1k", to: undefined, because: "only a key is new: the same is scored with" },
    { plans: "1 2 2k 2kt", to: 1, because: "keys and tags change nothing of what is scored with" },
    {
      plans: "1 2 1=1 1k",
      to: undefined,
      because: "what was gone back from does not come back, a key later",
    },
    { plans: "1 2 3 2=2 2k 2", to: 1, because: "nor with several changes of keys" },
    { plans: "1+2 1+3", to: 1, because: "there was none that gave all calls to one version" },
    { plans: "1+2 1+2k", to: undefined, because: "a canary with another key is the same canary" },
  ])("after $plans goes to $to: $because", ({ plans, to }) => {
    const history = historyOf(plans);
    expect(planBefore(history[0], history)?.number).toBe(to);
  });

  it("keeps who may call, where, and what it is found by, and takes all else from the earlier plan", () => {
    const common = { model: "m", versions: [{ version: "1", weight: 100 }] };
    const earlier = deploymentSpec.parse({
      ...common,
      replicas: 2,
      module: "a.mjs",
      auth: { keys: [KEY] },
      tags: { team: "shop" },
      tls: { cert_file: "old.pem", key_file: "old.key" },
      host: "0.0.0.0",
    });
    const now = deploymentSpec.parse({
      ...common,
      versions: [{ version: "2", weight: 100 }],
      auth: { keys: [{ ...KEY, name: "new" }] },
      port: 9000,
    });
    const after = specAfterRollback(earlier, now);
    expect(after).toMatchObject({
      versions: [{ version: "1", weight: 100 }],
      replicas: 2,
      module: "a.mjs",
      auth: { keys: [{ name: "new" }] },
      tags: {},
      host: "127.0.0.1",
      port: 9000,
    });
    expect(after.tls).toBeUndefined();
    expect(specAfterRollback(now, { ...now, auth: undefined }).auth).toBeUndefined();
  });
});
