import { expect, it } from "vitest";
import { budgetOf } from "../../drift/budget.ts";
import { judge } from "../../drift/judge.ts";
import { measureColumn } from "../../drift/measure-column.ts";
import { textColumn, textWindow } from "./columns.ts";

const OPTIONS = { budget: budgetOf("0.01", undefined), minimumEffect: 0.1, minimumRows: 20 };
const rows = (size: number, value: (i: number) => string | null) =>
  Array.from({ length: size }, (_, i) => value(i));
const yesOrNo = (i: number) => (i % 3 === 0 ? "yes" : "no");

function judged(role: "label" | "input", now: readonly (string | null)[]) {
  const baseline = { ...textColumn(rows(3_000, yesOrNo), "y"), role };
  return judge([measureColumn({ baseline, current: textWindow(now) })], OPTIONS).columns[0];
}

it.each([
  {
    says: "half of them have not arrived",
    now: rows(1_000, (i) => (i % 2 === 0 ? null : yesOrNo(i))),
    verdict: "stable",
  },
  { says: "none has arrived", now: rows(1_000, () => null), verdict: "too-few" },
  {
    says: "those that have arrived are others",
    now: rows(1_000, (i) => (i % 2 === 0 ? null : "yes")),
    verdict: "drifted",
  },
])("labels that come late are no data fault: $says", ({ now, verdict }) => {
  expect(judged("label", now)).toMatchObject({ verdict });
});

it("a feature that is missing as often is one", () => {
  expect(
    judged(
      "input",
      rows(1_000, (i) => (i % 2 === 0 ? null : yesOrNo(i))),
    ),
  ).toMatchObject({ verdict: "quality" });
});
