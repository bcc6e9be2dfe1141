import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type CaptureFormat, readCaptured } from "../../protocols/capture.ts";
import type { AzureCollection } from "../../protocols/capture-azure-table.ts";
import type { TruthColumns } from "../../protocols/capture-azure-truth.ts";
import { callRecords } from "../../protocols/capture-records.ts";
import type { Captured, CapturedHalf } from "../../protocols/captured.ts";
import { bodyOf, type GoldenMessage } from "./golden.ts";
import { hexDigest, withoutBigints } from "./payload.ts";

/** Messages as a logger sends them, in this order, and what becomes of them. */
interface CaptureGolden {
  readonly source: string;
  readonly format: CaptureFormat;
  readonly model?: string;
  readonly idName?: string;
  readonly messages: readonly (GoldenMessage & {
    readonly collection?: AzureCollection;
    readonly truth?: TruthColumns;
  })[];
  readonly becomes: readonly unknown[];
}

const DIRECTORY = join(import.meta.dirname, "capture-golden");
const goldens = readdirSync(DIRECTORY).map((file) => ({
  name: file.replace(/\.json$/, ""),
  golden: JSON.parse(readFileSync(join(DIRECTORY, file), "utf8")) as CaptureGolden,
}));

describe("readCaptured, golden files", () => {
  it.each(goldens)("$name", ({ golden }) => {
    expect(withoutBigints(become(golden, golden.messages))).toEqual(golden.becomes);
  });

  it.each(goldens.filter(({ golden }) => golden.messages.length === 2))(
    "$name, the other way round",
    ({ golden }) => {
      const turned = withoutBigints(become(golden, golden.messages.toReversed()));
      expect(turned).toHaveLength(golden.becomes.length);
      expect(turned).toEqual(expect.arrayContaining([...golden.becomes]));
    },
  );
});

/** Pairs halves as they come and tells what became of each item. */
function become({ format, model, idName }: CaptureGolden, messages: CaptureGolden["messages"]): unknown[] {
  const waiting = new Map<string, Captured & { readonly kind: "half" }>();
  const told: unknown[] = [];
  const done = (
    call: Parameters<typeof callRecords>[0],
    request: CapturedHalf,
    response: CapturedHalf | undefined,
  ) => {
    const made = callRecords(call, request, response, { digest: hexDigest, idName });
    if (made.outcome === "refused") told.push({ refused: made.reason });
    else told.push({ model: call.model, records: made.records, notes: made.notes });
  };
  const items = messages.flatMap((message) =>
    readCaptured(
      { headers: message.headers, body: bodyOf(message) },
      { format, model, collection: message.collection, truth: message.truth, limits: { nesting: 64 } },
    ),
  );
  for (const { captured } of items) {
    if (captured.kind === "half") {
      const other = waiting.get(captured.key);
      if (!other) waiting.set(captured.key, captured);
      else {
        waiting.delete(captured.key);
        const halves = [captured.half, other.half];
        const request = halves.find(({ side }) => side === "request");
        if (!request) throw new RangeError("two answers");
        done(
          captured.call,
          request,
          halves.find(({ side }) => side === "response"),
        );
      }
    } else if (captured.kind === "call") done(captured.call, captured.request, captured.response);
    else if (captured.kind === "records" || captured.kind === "labels") {
      const { kind, ...rest } = captured;
      told.push(rest);
    } else told.push({ [captured.kind]: captured.reason });
  }
  for (const { call, half } of waiting.values()) told.push({ waiting: half.side, id: call.id });
  return told;
}
