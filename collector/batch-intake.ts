import { ServiceError } from "../schema/errors.ts";
import type { IngestAnswer } from "../schema/record.ts";
import type { RecordIssue } from "./record-issues.ts";
import { type RecordSlices, recordSlices } from "./record-slices.ts";
import type { BatchFormat } from "./request-body.ts";
import type { Outcome, RequestContext, Rows } from "./rows.ts";
import { Tally } from "./tally.ts";

/** One request's records or labels, as they came. */
export interface Batch {
  readonly bytes: Uint8Array;
  readonly format: BatchFormat;
  /** Gives records without an id one that a repeat of the request will have too. */
  readonly idempotencyKey?: string | undefined;
}

/** Puts the records of one request, one after the other, into the rows of a model. */
export class BatchIntake {
  readonly #rows: Rows;
  readonly #bytes: Uint8Array;
  readonly #slices: RecordSlices;
  readonly #context: RequestContext;
  readonly #tally: Tally;
  readonly #onStored: () => void;
  #index = 0;

  /**
   * @param namedErrors - How many errors the answer names.
   * @param onStored - Called for each row that is new.
   * @throws ServiceError `invalid-input` when the body as a whole cannot be read; so does `go`.
   */
  constructor(
    rows: Rows,
    batch: Pick<Batch, "bytes" | "format">,
    {
      context,
      namedErrors,
      onStored,
    }: { readonly context: RequestContext; readonly namedErrors: number; readonly onStored: () => void },
  ) {
    this.#rows = rows;
    this.#bytes = batch.bytes;
    this.#slices = recordSlices(batch.bytes, batch.format);
    this.#context = context;
    this.#tally = new Tally(namedErrors);
    this.#onStored = onStored;
  }

  /** Takes records until so many bytes of the body, or all, are behind. */
  go(bytes: number): "more" | "done" {
    const end = this.#slices.to + bytes;
    for (;;) {
      const kind = this.#slices.next();
      if (kind === "end") return "done";
      const outcome = this.#takeOne(kind);
      this.#tally.add(this.#index++, outcome);
      if (outcome === "stored") this.#onStored();
      if (this.#slices.to > end) return "more";
    }
  }

  answer(): IngestAnswer {
    return this.#tally.answer();
  }

  #takeOne(kind: "bounds" | "value" | "not-utf8"): Outcome | readonly RecordIssue[] {
    if (kind === "not-utf8") return [{ path: "", message: "is not UTF-8" }];
    const slices = this.#slices;
    if (kind === "value") return this.#rows.parse(slices.value, this.#context, this.#index);
    const outcome = this.#rows.scan(this.#bytes, slices, this.#context, this.#index);
    if (outcome !== "unusual") return outcome;
    const { buffer, byteOffset } = this.#bytes;
    let value: unknown;
    try {
      value = JSON.parse(Buffer.from(buffer, byteOffset + slices.from, slices.to - slices.from).toString());
    } catch (error) {
      const message = `is not JSON: ${error instanceof Error ? error.message : String(error)}`;
      if (slices.body === "unread") throw new ServiceError("invalid-input", `the body ${message}`);
      return [{ path: "", message }];
    }
    return this.#rows.parse(value, this.#context, this.#index);
  }
}
