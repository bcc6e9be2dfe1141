import { z } from "zod";
import type { ModelSample } from "./model-version.ts";

/** Element types of the Open Inference Protocol. Elements of BYTES are texts or bytes of any length. */
export const tensorDatatypes = [
  "BOOL",
  "UINT8",
  "UINT16",
  "UINT32",
  "UINT64",
  "INT8",
  "INT16",
  "INT32",
  "INT64",
  "FP16",
  "BF16",
  "FP32",
  "FP64",
  "BYTES",
] as const;

/** A model file names its tensors as it likes: any text, as long as it is not a document. */
const tensorName = z.string().min(1).max(512);

/**
 * An input or output of a model.
 *
 * `shape` has a length per dimension, outermost first: a whole number where it is fixed, -1 where any length goes, a
 * symbol's name where any length goes as long as it is the same wherever the symbol stands.
 *
 * @example
 * { name: "float_input", datatype: "FP32", shape: ["batch", 4] }
 */
export const tensorSpec = z
  .strictObject({
    name: tensorName,
    datatype: z.enum(tensorDatatypes),
    shape: z.array(z.union([z.int().min(-1), z.string().min(1).max(256)])).max(64),
  })
  .meta({ id: "TensorSpec" });

export type TensorSpec = z.infer<typeof tensorSpec>;

/**
 * What a model takes and gives. `feature_names` name the columns of its one matrix input, in order; `class_labels` the
 * columns of its probabilities.
 */
export const modelSignature = z
  .strictObject({
    inputs: z.array(tensorSpec).max(10_000),
    outputs: z.array(tensorSpec).max(10_000),
    feature_names: z.array(z.string().min(1).max(256)).max(100_000).optional(),
    class_labels: z
      .array(z.union([z.string(), z.number()]))
      .max(100_000)
      .optional(),
  })
  .meta({ id: "ModelSignature" });

export type ModelSignature = z.infer<typeof modelSignature>;

/**
 * What came of looking at a model file: loaded and run once, or refused.
 *
 * - `loads`: `served_file` is the path of the file that is served instead, where the given one could not be read from in
 *   full (its probabilities were behind a ZipMap); whoever asked owns that file. `notes` are sentences for the user.
 * - `refused`: `reason` is a sentence for the user, the runtime's own words where it was the runtime that refused.
 */
export const modelInspection = z.discriminatedUnion("verdict", [
  z.strictObject({
    verdict: z.literal("loads"),
    signature: modelSignature,
    served_file: z.string().optional(),
    class_labels: z.array(z.union([z.string(), z.number()])).optional(),
    /** What it answers to the inputs of the sample that came with it. */
    sample_outputs: z
      .array(
        z.strictObject({
          name: tensorName,
          datatype: z.enum(tensorDatatypes),
          shape: z.array(z.int().min(0)),
          data: z.array(z.unknown()),
        }),
      )
      .optional(),
    notes: z.array(z.string()),
  }),
  z.strictObject({ verdict: z.literal("refused"), reason: z.string() }),
]);

export type ModelInspection = z.infer<typeof modelInspection>;

/** Looks at a model file. It never throws for what is in the file. */
export type InspectModel = (
  path: string,
  options: {
    readonly signal?: AbortSignal | undefined;
    /** To be answered; when it says the outputs they have to be those. */
    readonly sample?: ModelSample | undefined;
  },
) => Promise<ModelInspection>;
