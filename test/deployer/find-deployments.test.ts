import { expect, it } from "vitest";
import { fits, pageOf } from "../../deployer/find-deployments.ts";

const deployment = {
  model: "churn",
  state: "running",
  spec: {
    model: "churn",
    versions: [
      { version: "3", weight: 90 },
      { version: "4", weight: 10 },
    ],
    shadow: { version: "5", fraction: 1 },
    tags: { team: "growth", note: "a=b" },
  },
} as const;

it.each<[string, Parameters<typeof fits>[1], "fits" | "does not"]>([
  ["nothing asked", {}, "fits"],
  ["the model", { model: "churn" }, "fits"],
  ["another model", { model: "power" }, "does not"],
  ["the version with most calls", { version: "3" }, "fits"],
  ["the canary", { version: "4" }, "fits"],
  ["the shadow", { version: "5" }, "fits"],
  ["a version that is not served", { version: "1" }, "does not"],
  ["a tag", { tags: ["team=growth"] }, "fits"],
  ["a tag with = in its value", { tags: ["note=a=b"] }, "fits"],
  ["a key", { tags: ["team"] }, "fits"],
  ["another value", { tags: ["team=risk"] }, "does not"],
  ["a key that is not there", { tags: ["toString"] }, "does not"],
  ["all of several", { model: "churn", version: "3", tags: ["team", "note=a=b"], state: "running" }, "fits"],
  ["not all of several", { model: "churn", version: "3", tags: ["team", "owner"] }, "does not"],
  ["another state", { state: "stopped" }, "does not"],
])("%s: %j %s", (_, wanted, expected) => {
  expect(fits(deployment, wanted) ? "fits" : "does not").toBe(expected);
});

it("says what a tag looks like", () => {
  expect(() => fits(deployment, { tags: ["=growth"] })).toThrow("expected KEY=VALUE or KEY");
});

it("gives pages, by name, of those that fit", () => {
  const all = ["a", "b", "c", "d"].map((name) => ({
    ...deployment,
    name,
    model: name === "b" ? "power" : "churn",
  }));
  const page = (cursor: string | undefined, limit: number) => {
    const { found, cursor: next } = pageOf(all, { model: "churn" }, { limit, cursor });
    return { names: found.map(({ name }) => name), next };
  };
  expect(page(undefined, 2)).toEqual({ names: ["a", "c"], next: "c" });
  expect(page("c", 2)).toEqual({ names: ["d"], next: null });
  expect(page(undefined, 3)).toEqual({ names: ["a", "c", "d"], next: null });
});
