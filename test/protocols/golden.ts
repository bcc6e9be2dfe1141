import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { DecodeLimits, DecodeOptions, Exchange } from "../../protocols/exchange.ts";
import { bytesOf, hexDigest } from "./payload.ts";

/** A piece of a body: text, or bytes in hexadecimal. */
type Piece = string | { readonly hex: string };

export interface GoldenMessage {
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

/** A golden file: what goes in and what must come out. */
export interface GoldenCase {
  readonly name: string;
  readonly exchange: Exchange;
  readonly options: DecodeOptions;
  readonly decoded: Golden["decoded"];
}

/** All golden files, by name. */
export function goldenCases(): readonly GoldenCase[] {
  const names = readdirSync(DIRECTORY).filter((name) => name.endsWith(".json"));
  return names.sort().map((name) => {
    const golden = JSON.parse(readFileSync(join(DIRECTORY, name), "utf8")) as Golden;
    const { request, response } = golden.exchange;
    return {
      name: name.replace(/\.json$/, ""),
      exchange: {
        ...golden.exchange,
        request: { ...request, body: bodyOf(request) },
        response: response && { ...response, body: bodyOf(response) },
      },
      options: { ...golden.options, digest: hexDigest },
      decoded: golden.decoded,
    };
  });
}

/** The bytes of a body. */
export function bodyOf({ body }: Pick<GoldenMessage, "body">): Uint8Array {
  const pieces = typeof body === "string" ? [body] : body;
  return Buffer.concat(
    pieces.map((piece) => (typeof piece === "string" ? bytesOf(piece) : Buffer.from(piece.hex, "hex"))),
  );
}
