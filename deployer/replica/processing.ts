import { pathToFileURL } from "node:url";
import { isList, type JsonList } from "../../protocols/json.ts";
import { ServiceError } from "../../schema/errors.ts";

type Preprocess = (rows: JsonList) => unknown;
type Postprocess = (predictions: JsonList, rows: JsonList) => unknown;

const LONGEST_REASON = 300;

/**
 * A version's own code around its model: `preprocess(rows)` gives the rows that the model is to have for those that came,
 * `postprocess(predictions, rows)` what is answered for what it said. It runs in the replica with all its rights.
 */
export class Processing {
  readonly #preprocess: Preprocess | undefined;
  readonly #postprocess: Postprocess | undefined;

  private constructor(preprocess: Preprocess | undefined, postprocess: Postprocess | undefined) {
    this.#preprocess = preprocess;
    this.#postprocess = postprocess;
  }

  /** @throws Error when the file is no module with one of the two functions. */
  static async load(file: string): Promise<Processing> {
    let found: Readonly<Record<string, unknown>>;
    try {
      found = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>;
    } catch (error) {
      throw new Error(`its module cannot be loaded: ${reasonOf(error)}`);
    }
    const { preprocess, postprocess } = found;
    if (typeof preprocess !== "function" && typeof postprocess !== "function")
      throw new Error("its module exports neither a function preprocess nor a function postprocess");
    return new Processing(
      typeof preprocess === "function" ? (preprocess as Preprocess) : undefined,
      typeof postprocess === "function" ? (postprocess as Postprocess) : undefined,
    );
  }

  /** @throws ServiceError `invalid-input` with what the module throws, `upstream-failed` when it gives no such rows. */
  before(rows: JsonList): JsonList {
    if (!this.#preprocess) return rows;
    let made: unknown;
    try {
      made = this.#preprocess(rows);
    } catch (error) {
      throw new ServiceError("invalid-input", `preprocess: ${reasonOf(error)}`);
    }
    return asMany("preprocess", made, rows.length);
  }

  /** @throws ServiceError `upstream-failed` when the module throws, or does not give an answer for each row. */
  after(predictions: JsonList, rows: JsonList): JsonList {
    if (!this.#postprocess) return predictions;
    let made: unknown;
    try {
      made = this.#postprocess(predictions, rows);
    } catch (error) {
      throw new ServiceError("upstream-failed", `postprocess: ${reasonOf(error)}`);
    }
    return asMany("postprocess", made, predictions.length);
  }
}

function asMany(what: string, made: unknown, count: number): JsonList {
  const list = made as JsonList; // what is in it is looked at where it goes
  if (isList(list) && list.length === count) return list;
  const found = isList(list)
    ? `a list of ${list.length}`
    : made instanceof Promise
      ? "a promise"
      : typeof made;
  throw new ServiceError(
    "upstream-failed",
    `${what} gave ${found} for ${count} rows: expected a list of as many`,
  );
}

/** The words of what was thrown, without where. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return (text.split("\n")[0] ?? "").slice(0, LONGEST_REASON);
}
