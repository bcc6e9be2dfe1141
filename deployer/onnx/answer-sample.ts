import type { Tensor } from "../../protocols/tensor.ts";
import type { ModelSample } from "../../schema/model-version.ts";
import type { ModelInspection } from "../../schema/signature.ts";
import { differenceFrom, sampleTensor } from "../replica/self-check.ts";
import { type RuntimeDatatype, rawTensor, tensorOf } from "./raw-tensor.ts";
import type { OnnxSession } from "./session.ts";

/** Beyond this a sample's answers are not kept: they are looked at whenever a replica starts. */
const MOST_ELEMENTS = 100_000;

type Recorded = NonNullable<Extract<ModelInspection, { verdict: "loads" }>["sample_outputs"]>;

/**
 * What a model answers to its sample. One that does not answer as the sample says is found out here, before it is
 * registered; the outputs of one that says nothing of them are recorded.
 */
export function answerSample(
  session: OnnxSession,
  sample: ModelSample,
): { readonly outputs: Recorded } | { readonly unanswered: unknown } | { readonly refused: string } {
  let answered: readonly Tensor[];
  try {
    const inputs = sample.inputs.map((tensor) =>
      rawTensor(sampleTensor(tensor), tensor.datatype as RuntimeDatatype),
    ); // any other fails
    answered = session.run(inputs).map(tensorOf);
  } catch (error) {
    return { unanswered: error };
  }
  const difference = differenceFrom(sample, answered);
  if (difference !== undefined)
    return { refused: `it does not answer its sample as that says: ${difference}` };
  if (answered.reduce((sum, { values }) => sum + values.length, 0) > MOST_ELEMENTS)
    return { unanswered: `its answers are too many to be kept (more than ${MOST_ELEMENTS} elements)` };
  return {
    outputs: answered.map(({ name, datatype, shape, values }) => ({
      name,
      datatype,
      shape: [...shape],
      data: Array.from(values, jsonValue),
    })),
  };
}

function jsonValue(value: unknown): unknown {
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  return typeof value === "number" && !Number.isFinite(value) ? String(value) : value;
}
