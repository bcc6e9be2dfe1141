import type { ErrorCode } from "../../schema/errors.ts";
import type { ModelSignature } from "../../schema/signature.ts";
import type { END } from "../start-thread.ts";
import type { MappedInput } from "./map-columns.ts";
import type { PartRows } from "./read-parts.ts";

export interface PartThreadStart {
  readonly modelFile: string;
  readonly signature: ModelSignature;
  readonly inputs: readonly MappedInput[];
  /** Columns of the table, whose names a prediction cannot have. */
  readonly taken: readonly string[];
  /** Becomes 1 when nothing more is wanted, also of the part at hand. */
  readonly stop: Int32Array<SharedArrayBuffer>;
}

export interface PartToScore extends PartRows {
  /** Where its predictions are written. */
  readonly path: string;
  /** How many rows are written in each page. */
  readonly pageRows: readonly number[];
}

export type ToPartThread = PartToScore | typeof END;

export type FromPartThread =
  | { readonly say: "rows"; readonly rows: number }
  | { readonly say: "written"; readonly part: number }
  | {
      readonly say: "failed";
      readonly part: number;
      /** Undefined for a failure of the machine, such as a full disk. */
      readonly code: ErrorCode | undefined;
      readonly why: string;
    };
