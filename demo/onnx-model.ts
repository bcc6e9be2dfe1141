import { type Node, onnxFile } from "../deployer/onnx/write-model.ts";
import type { ModelSample } from "../schema/model-version.ts";
import { CATEGORICAL, type FlightInputs, type LateModel, scoreFlight } from "./model.ts";

const STRING = 8;
const PER_MILE = 1 / 1_000;

/**
 * The model as an ONNX file that any runtime serves: an input per feature, named as in the training data, and one output,
 * `probability`. A category's weight is looked up (0 for one that training did not see), the weights are added to the
 * distance's, and the sigmoid of the sum is the answer.
 */
export function onnxModel(model: LateModel): Uint8Array {
  const lookUps = CATEGORICAL.map((name): Node => {
    const start = `${name}=`;
    const weights = Object.entries(model.categories).filter(([key]) => key.startsWith(start));
    return {
      op: "LabelEncoder",
      domain: "ai.onnx.ml",
      inputs: [name],
      outputs: [`${name}_weight`],
      attributes: [
        { name: "keys_strings", strings: weights.map(([key]) => key.slice(start.length)) },
        { name: "values_floats", floats: weights.map(([, weight]) => weight) },
        { name: "default_float", float: 0 },
      ],
    };
  });
  const constant = (name: string, value: number) => ({ name, type: 1, dims: [], floats: [value] });
  return onnxFile(
    {
      nodes: [
        ...lookUps,
        { op: "Mul", inputs: ["distance", "weight_per_mile"], outputs: ["distance_weight"] },
        {
          op: "Sum",
          inputs: [...CATEGORICAL.map((name) => `${name}_weight`), "distance_weight", "intercept"],
          outputs: ["logit"],
        },
        { op: "Sigmoid", inputs: ["logit"], outputs: ["probability"] },
      ],
      inputs: [
        ...CATEGORICAL.map((name) => ({ name, type: STRING, shape: ["flights"] })),
        { name: "distance", shape: ["flights"] },
      ],
      outputs: [{ name: "probability", shape: ["flights"] }],
      constants: [
        constant("weight_per_mile", model.distance * PER_MILE),
        constant("intercept", model.intercept),
      ],
    },
    { "": 15, "ai.onnx.ml": 2 },
  );
}

/** What the model answers to some flights: whoever serves the file checks that it still answers so. */
export function sampleOf(model: LateModel, flights: readonly FlightInputs[]): ModelSample {
  const shape = [flights.length];
  return {
    inputs: [
      ...CATEGORICAL.map((name) => ({
        name,
        datatype: "BYTES" as const,
        shape,
        data: flights.map((flight) => flight[name]),
      })),
      { name: "distance", datatype: "FP32", shape, data: flights.map(({ distance }) => distance) },
    ],
    outputs: [
      {
        name: "probability",
        datatype: "FP32",
        shape,
        data: flights.map((flight) => scoreFlight(model, flight)),
      },
    ],
  };
}
