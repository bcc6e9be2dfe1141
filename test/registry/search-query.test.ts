import { describe, expect, it } from "vitest";
import { parseSearch } from "../../registry/search-query.ts";

const like = (value: string) => ({ field: "text", operator: "ilike", values: [`%${value}%`] });

describe("a search", () => {
  it.each([
    ["", []],
    ["name like 'churn%'", [{ field: "name", operator: "like", values: ["churn%"] }]],
    ["name like churn", [{ field: "name", operator: "like", values: ["%churn%"] }]],
    ["tag.env=prod", [{ field: { tag: "env" }, operator: "=", values: ["prod"] }]],
    [
      "tags.env = 'it''s' AND name=x",
      [
        { field: { tag: "env" }, operator: "=", values: ["it's"] },
        { field: "name", operator: "=", values: ["x"] },
      ],
    ],
    ['tag.`my key` != "a b"', [{ field: { tag: "my key" }, operator: "!=", values: ["a b"] }]],
    ["tag.\"my key\" ilike '%A_'", [{ field: { tag: "my key" }, operator: "ilike", values: ["%A_"] }]],
    ["run in ('a', 'b')", [{ field: "run_id", operator: "in", values: ["a", "b"] }]],
    ["europe 'more trees'", [like("europe"), like("more trees")]],
    ["europe and name=x", [like("europe"), { field: "name", operator: "=", values: ["x"] }]],
    ["name", [like("name")]],
    ["and", [like("and")]],
  ])("%s is understood", (query, conditions) => {
    expect(parseSearch(query, "own")).toEqual(conditions);
  });

  it.each(["name = 'open", "= x", "name = (", "tag.k in ('a'", "name in ()", "price > ) 3"])(
    "%s is refused by what is wrong",
    (query) => {
      expect(() => parseSearch(query, "own")).toThrow(/^search "/);
    },
  );

  it.each(["europe", "name = churn", "colour = 'red'", "name = 'a' or name = 'b'"])(
    "%s is no filter of MLflow's",
    (query) => {
      expect(() => parseSearch(query, "mlflow")).toThrow(/is not understood/);
    },
  );
});
