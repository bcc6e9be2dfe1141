import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { decodeExchange } from "../../protocols/decode.ts";
import type { DecodeLimits } from "../../protocols/exchange.ts";
import { bytesOf, hexDigest, withoutBigints } from "./payload.ts";

/** A piece of a body: text, or bytes in hexadecimal. */
type Piece = string | { readonly hex: string };

interface GoldenMessage {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | readonly Piece[];
}

/** An exchange and what it must be decoded to; a whole number beyond 2^53 is written as text with an n behind it. */
interface Golden {
  readonly source: string;
  readonly exchange: {
    readonly method: string;
    readonly path: string;
    readonly request: GoldenMessage;
    readonly response?: GoldenMessage & { readonly status: number };
  };
  readonly options?: {
    readonly featureNames?: readonly string[];
    readonly outputNames?: readonly string[];
    readonly limits?: Partial<DecodeLimits>;
  };
  readonly decoded: Readonly<Record<string, unknown>>;
}

const DIRECTORY = join(import.meta.dirname, "golden");

describe("decodeExchange, golden files", () => {
  it.each(readdirSync(DIRECTORY).filter((name) => name.endsWith(".json")))("%s", (name) => {
    const golden = JSON.parse(readFileSync(join(DIRECTORY, name), "utf8")) as Golden;
    const { request, response } = golden.exchange;
    const decoded = decodeExchange(
      {
        ...golden.exchange,
        request: { ...request, body: bodyOf(request) },
        response: response && { ...response, body: bodyOf(response) },
      },
      { ...golden.options, digest: hexDigest },
    );
    expect(withoutBigints(decoded)).toEqual(golden.decoded);
  });
});

function bodyOf({ body }: GoldenMessage): Uint8Array {
  const pieces = typeof body === "string" ? [body] : body;
  return Buffer.concat(
    pieces.map((piece) => (typeof piece === "string" ? bytesOf(piece) : Buffer.from(piece.hex, "hex"))),
  );
}
