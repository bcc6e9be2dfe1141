import { describe, expect, it } from "vitest";
import { decodeExchange } from "../../protocols/decode.ts";
import {
  type DecodedRow,
  type DecodeLimits,
  defaultDecodeLimits,
  type Exchange,
} from "../../protocols/exchange.ts";
import { writeJson } from "../../protocols/json.ts";
import { goldenCases } from "./golden.ts";
import { mutate, randomFrom } from "./mutate.ts";

/** Mutated payloads per golden file: LEEWAY_FUZZ_PAYLOADS=100000 for the long run. */
const PAYLOADS = Number(process.env.LEEWAY_FUZZ_PAYLOADS ?? 2_000);

const limits: DecodeLimits = {
  ...defaultDecodeLimits,
  rows: 50,
  cells: 500,
  columnsPerTensor: 16,
  textLength: 64,
};

describe(`${PAYLOADS} mutated payloads`, () => {
  it.each(goldenCases())(
    "of $name neither throw nor pass the limits",
    { timeout: 60_000 + PAYLOADS * 2 },
    ({ name, exchange, options }) => {
      const random = randomFrom(name.length * 7919 + name.charCodeAt(0));
      const outcomes = new Map<string, number>();
      for (let payload = 0; payload < PAYLOADS; payload++) {
        const mutated = mutatedExchange(exchange, random);
        const seen = check(mutated, options);
        if (seen.trouble)
          throw new Error(`${seen.trouble}: ${Buffer.from(mutated.request.body).toString("base64")}`);
        outcomes.set(seen.outcome, (outcomes.get(seen.outcome) ?? 0) + 1);
      }
      expect([...outcomes.values()].reduce((sum, count) => sum + count, 0)).toBe(PAYLOADS);
    },
  );
});

function mutatedExchange(exchange: Exchange, random: () => number): Exchange {
  const { request, response } = exchange;
  if (response && random() < 0.3)
    return { ...exchange, response: { ...response, body: mutate(response.body, random) } };
  return { ...exchange, request: { ...request, body: mutate(request.body, random) } };
}

function check(
  exchange: Exchange,
  options: Parameters<typeof decodeExchange>[1],
): { readonly outcome: string; readonly trouble?: string } {
  const decoded = decodeExchange(exchange, { ...options, limits });
  if (decoded.outcome !== "decoded") {
    const { length } = decoded.reason;
    return {
      outcome: decoded.outcome,
      ...(length > 600 ? { trouble: `a reason of ${length} characters` } : {}),
    };
  }
  const { rows } = decoded;
  const cells = rows.reduce(
    (sum, row) => sum + Object.keys(row.inputs).length + Object.keys(row.outputs).length,
    0,
  );
  if (rows.length > limits.rows || cells > limits.cells)
    return { outcome: "decoded", trouble: `${rows.length} rows, ${cells} cells` };
  return { outcome: "decoded", ...wrongNames(rows) };
}

/** What a row is written as must be JSON with the same names. */
function wrongNames(rows: readonly DecodedRow[]): { readonly trouble?: string } {
  for (const row of rows) {
    const read = JSON.parse(writeJson({ ...row })) as DecodedRow;
    if (Object.keys(read.inputs).join() !== Object.keys(row.inputs).join()) return { trouble: "other names" };
  }
  return {};
}
