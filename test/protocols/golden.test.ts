import { describe, expect, it } from "vitest";
import { decodeExchange } from "../../protocols/decode.ts";
import { goldenCases } from "./golden.ts";
import { withoutBigints } from "./payload.ts";

describe("decodeExchange, golden files", () => {
  it.each(goldenCases())("$name", ({ exchange, options, decoded }) => {
    expect(withoutBigints(decodeExchange(exchange, options))).toEqual(decoded);
  });
});
