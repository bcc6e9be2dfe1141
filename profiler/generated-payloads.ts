import type { ModelSample } from "../schema/model-version.ts";
import type { ModelSignature, TensorSpec } from "../schema/signature.ts";
import { type Random, seededRandom } from "./seeded-random.ts";

/** Length that is taken for a dimension of any length, other than the first. */
const FREE_LENGTH = 8;

/**
 * Bodies for a model that nobody has bodies for yet: Open Inference requests of one instance each, with random values of
 * the types and shapes that its signature names. They say what the model costs, not what it answers to real inputs.
 *
 * @param sample - An input that the model is known to take; sent instead, as it is.
 */
export function generatedPayloads(
  signature: ModelSignature,
  {
    count,
    seed,
    sample,
  }: { readonly count: number; readonly seed: number; readonly sample?: ModelSample | undefined },
): Uint8Array[] {
  if (sample) return [Buffer.from(JSON.stringify({ inputs: sample.inputs }))];
  const random = seededRandom(seed);
  return Array.from({ length: count }, () =>
    Buffer.from(JSON.stringify({ inputs: signature.inputs.map((input) => tensor(input, random)) })),
  );
}

function tensor({ name, datatype, shape }: TensorSpec, random: Random) {
  const lengths = shape.map((length, i) => {
    if (typeof length === "number" && length >= 0) return length;
    return i === 0 ? 1 : FREE_LENGTH;
  });
  const size = lengths.reduce((product, length) => product * length, 1);
  return {
    name,
    datatype,
    shape: lengths,
    data: Array.from({ length: size }, () => value(datatype, random)),
  };
}

/** Whole numbers stay small: they are often indexes. */
function value(datatype: TensorSpec["datatype"], random: Random): number | boolean | string {
  if (datatype === "BOOL") return random() < 0.5;
  if (datatype === "BYTES") return ["a", "b", "c"][Math.floor(3 * random())] ?? "a";
  if (datatype.includes("INT")) return Math.floor(2 * random());
  return Math.round((2 * random() - 1) * 1e4) / 1e4;
}
