import { describe, expect, it } from "vitest";
import { columnTypesText } from "../../schema/column-types.ts";

describe("column types as text", () => {
  it.each([
    ["weekday=categorical", { weekday: "categorical" }],
    ["id=categorical, at = timestamp", { id: "categorical", at: "timestamp" }],
    ["a=b=boolean", { "a=b": "boolean" }],
  ])("%s", (text, types) => {
    expect(columnTypesText.parse(text)).toEqual(types);
  });

  it.each(["weekday", "weekday=", "=numeric", "weekday=integer", "", "a=numeric,"])("refuses %j", (text) => {
    const refused = columnTypesText.safeParse(text);
    expect(refused.error?.issues[0]?.message).toContain("numeric, categorical, boolean, timestamp");
  });
});
