import { MappingType, type ValueMapping } from "@grafana/grafana-foundation-sdk/dashboard";
import { type Verdict, verdict } from "../schema/drift-result.ts";

/** How a verdict is said and coloured wherever it is shown. Grey means "cannot tell", not "well". */
const LOOK: Readonly<Record<Verdict, { readonly text: string; readonly color: string }>> = {
  stable: { text: "stable", color: "green" },
  drifted: { text: "drifted", color: "red" },
  "too-few": { text: "too few rows", color: "#8e8e8e" },
  quality: { text: "data fault", color: "orange" },
  error: { text: "not checked", color: "purple" },
};

/** The number that `leeway_drift_verdict` shows for a verdict. */
export function verdictCode(word: Verdict): number {
  return verdict.options.indexOf(word);
}

/** Shows the numbers 0 to 4 of `leeway_drift_verdict` as words with colours. */
export const verdictMappings: ValueMapping[] = [
  {
    type: MappingType.ValueToText,
    options: Object.fromEntries(
      verdict.options.map((word, index) => [String(verdictCode(word)), { ...LOOK[word], index }]),
    ),
  },
];

/** Gives the lines of a panel that are named after verdicts their colour. */
export const verdictColors: Readonly<Record<string, string>> = Object.fromEntries(
  verdict.options.map((word) => [word, LOOK[word].color]),
);
