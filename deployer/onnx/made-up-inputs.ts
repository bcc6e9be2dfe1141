import { normalSample, seededRandom } from "../../drift/distributions/random.ts";
import { toFloat16 } from "../../protocols/float16.ts";
import type { TensorSpec } from "../../schema/signature.ts";
import { zeroInputs } from "./example-input.ts";
import { ELEMENT_ARRAYS, type RawTensor } from "./raw-tensor.ts";

/** Scales of the numbers: trees and scalers look at some features in thousands and at others in hundredths. */
const SCALES = [0.01, 1, 100, 10_000] as const;
const WORDS = ["", "a", "B", "unknown", "2001-04-01"] as const;

/** Inputs of any value a model might take, the same for the same seed. */
export function madeUpInputs(inputs: readonly TensorSpec[], batch: number, seed: number): RawTensor[] {
  const random = seededRandom(seed);
  const scale = SCALES[seed % SCALES.length] ?? 1;
  const whole = (most: number) => Math.floor(random() * most);
  return zeroInputs(inputs, batch).map((tensor): RawTensor => {
    const { datatype, data } = tensor;
    const length = data.length;
    switch (datatype) {
      case "BYTES":
        return { ...tensor, data: Array.from({ length }, () => WORDS[whole(WORDS.length)] ?? "") };
      case "BOOL":
        return { ...tensor, data: Uint8Array.from({ length }, () => whole(2)) };
      case "INT64":
      case "UINT64": {
        const Kind = ELEMENT_ARRAYS[datatype];
        return { ...tensor, data: Kind.from(Array.from({ length }, () => BigInt(whole(10)))) };
      }
      case "FP16":
        return { ...tensor, data: Uint16Array.from({ length }, () => toFloat16(normalSample(random))) };
      case "FP32":
      case "FP64": {
        const Kind = ELEMENT_ARRAYS[datatype];
        return { ...tensor, data: Kind.from(Array.from({ length }, () => scale * normalSample(random))) };
      }
      default: {
        const Kind = ELEMENT_ARRAYS[datatype];
        return { ...tensor, data: Kind.from(Array.from({ length }, () => whole(10))) };
      }
    }
  });
}
