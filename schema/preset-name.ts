import { z } from "zod";

/** Whose definitions, thresholds and rules a comparison takes: this project's, or those of a tool that a user comes from. */
export const presetName = z.enum(["leeway", "evidently", "nannyml", "azure", "tfdv", "sagemaker"]);
export type PresetName = z.infer<typeof presetName>;
