import { z } from "zod";

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/**
 * Names of models, versions, monitors, rules, channels and policies: they appear in paths, metric
 * labels and file names, so letters, digits, dot, dash and underscore only, at most 128 characters.
 */
export const resourceName = z
  .string()
  .min(1)
  .max(128)
  .regex(NAME, "expected letters, digits, '.', '_' or '-', starting with a letter or digit");

/** A feature or output name as the scoring service calls it: any text of 1 to 256 characters without control characters. */
export const featureName = z
  .string()
  .min(1)
  .max(256)
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  .regex(/^[^\u0000-\u001f\u007f]+$/, "expected a name without control characters");
