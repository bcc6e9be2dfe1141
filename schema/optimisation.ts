import { z } from "zod";

/** How long a run of two files takes; `ratio` is how many times faster the second is, by the median of the blocks. */
const measuredSpeed = z.strictObject({
  before_ms: z.number(),
  after_ms: z.number(),
  ratio: z.number(),
  blocks: z.int(),
  faster_blocks: z.int(),
  verdict: z.enum(["faster", "slower", "no difference"]),
});
export type MeasuredSpeed = z.infer<typeof measuredSpeed>;

/** What came of having a model made over. */
export const optimisationOutcome = z.discriminatedUnion("verdict", [
  z.strictObject({
    verdict: z.literal("same"),
    level: z.string(),
    tolerance: z.number(),
    /** Instances to which both files answered. */
    instances: z.int(),
    largest_difference: z.number(),
    speed: measuredSpeed,
    load_ms: z.strictObject({ before: z.number(), after: z.number() }),
  }),
  z.strictObject({ verdict: z.literal("differs"), reason: z.string(), tolerance: z.number() }),
  z.strictObject({ verdict: z.literal("refused"), reason: z.string() }),
]);
export type OptimisationOutcome = z.infer<typeof optimisationOutcome>;
