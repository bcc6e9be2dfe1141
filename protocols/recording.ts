import { ServiceError } from "../schema/errors.ts";
import { type DecodeLimits, type DecodeOptions, defaultDecodeLimits } from "./exchange.ts";

/** What is shared while one payload becomes rows: its bounds, the digest, and how many values it has become so far. */
export interface Recording {
  readonly limits: DecodeLimits;
  readonly digest: (bytes: Uint8Array) => string;
  /** Counts values. @throws ServiceError `too-large` beyond `limits.cells`. */
  readonly spend: (cells: number) => void;
}

export function startRecording(options: DecodeOptions): Recording {
  const limits = { ...defaultDecodeLimits, ...options.limits };
  let spent = 0;
  return {
    limits,
    digest: options.digest,
    spend: (cells) => {
      spent += cells;
      if (spent > limits.cells)
        throw new ServiceError("too-large", `more than the ${limits.cells} values that one request may hold`);
    },
  };
}

/** @throws ServiceError `too-large` beyond `limits.rows`. */
export function checkRows(rows: number, { limits }: Pick<Recording, "limits">): void {
  if (rows > limits.rows)
    throw new ServiceError("too-large", `${rows} instances, and one request may hold ${limits.rows}`);
}
