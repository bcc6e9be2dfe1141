import { columnNames } from "../../protocols/column-names.ts";
import { classOutput } from "../../protocols/model-answer.ts";
import type { Tensor, TensorValue } from "../../protocols/tensor.ts";
import type { ModelSignature } from "../../schema/signature.ts";

const WIDEST = 256;
const LONGEST_TEXT = 1024;

type NamesOf = (tensor: Tensor) => readonly string[] | undefined;

/**
 * Writes the columns of scored instances as JSON without making objects of them first: the usual tensors, a vector or a
 * matrix of instances of numbers, short texts and booleans. Names are written once per model and not per call.
 */
export class RecordWriter {
  readonly #signature: ModelSignature;
  /** Names as JSON has them, by the place of the tensor: one call's tensors are as the next one's. */
  readonly #keys: Readonly<Record<"in" | "out", TensorKeys[]>> = { in: [], out: [] };

  constructor(signature: ModelSignature) {
    this.#signature = signature;
  }

  /**
   * `{"age":3}` of one instance of the inputs; undefined when a tensor is of another kind.
   *
   * @param rows - Instances in the tensors.
   */
  inputs(tensors: readonly Tensor[], row: number, rows: number): string | undefined {
    const names = tensors.length === 1 ? this.#signature.feature_names : undefined;
    return this.#object(tensors, { row, rows, side: "in" }, () => names);
  }

  /** The same of the outputs. */
  outputs(tensors: readonly Tensor[], row: number, rows: number): string | undefined {
    const labels = this.#signature.class_labels;
    const classes = labels && classOutput(tensors, this.#signature);
    return this.#object(tensors, { row, rows, side: "out" }, ({ name }) =>
      labels && name === classes ? labels.map((label) => `${name}_${label}`) : undefined,
    );
  }

  #object(
    tensors: readonly Tensor[],
    of: { readonly row: number; readonly rows: number; readonly side: "in" | "out" },
    namesOf: NamesOf,
  ): string | undefined {
    let text = "";
    for (let place = 0; place < tensors.length; place++) {
      const tensor = tensors[place] as Tensor; // within bounds
      const { shape, values } = tensor;
      const width = shape.length === 1 ? 1 : (shape[1] ?? 0);
      if (shape.length === 0 || shape.length > 2 || shape[0] !== of.rows || width > WIDEST) return undefined;
      const keys = keysOf(this.#keys[of.side], place, tensor, width, namesOf);
      for (let at = 0; at < width; at++) {
        const value = cellText(values[of.row * width + at] as TensorValue); // within bounds
        if (value === undefined) return undefined;
        text += (text === "" ? "{" : ",") + (keys[at] as string) + value; // as many keys as columns
      }
    }
    return text === "" ? "{}" : `${text}}`;
  }
}

interface TensorKeys {
  readonly name: string;
  readonly width: number;
  readonly keys: readonly string[];
}

function keysOf(
  known: TensorKeys[],
  place: number,
  tensor: Tensor,
  width: number,
  namesOf: NamesOf,
): readonly string[] {
  const found = known[place];
  if (found?.name === tensor.name && found.width === width) return found.keys;
  const keys = columnNames(tensor.name, width, namesOf(tensor)).map((name) => `${JSON.stringify(name)}:`);
  known[place] = { name: tensor.name, width, keys };
  return keys;
}

/** As `JSON.stringify`, but for infinities, which are texts; undefined for what is written another way. */
function cellText(value: TensorValue): string | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? String(value) : nonFinite(value);
  if (typeof value === "string") return value.length > LONGEST_TEXT ? undefined : JSON.stringify(value);
  if (typeof value === "boolean") return value ? "true" : "false";
  return undefined;
}

function nonFinite(value: number): string {
  return Number.isNaN(value) ? "null" : `"${value}"`;
}
