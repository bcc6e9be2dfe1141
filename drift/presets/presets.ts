import type { PresetName } from "../../schema/preset-name.ts";
import { azure } from "./azure.ts";
import { evidently } from "./evidently.ts";
import { nannyml } from "./nannyml.ts";
import type { Preset } from "./preset.ts";
import { sagemaker } from "./sagemaker.ts";
import { tfdv } from "./tfdv.ts";

/** The presets that reproduce another tool, by the name of `--preset`. */
export const FOREIGN_PRESETS: Readonly<Record<Exclude<PresetName, "leeway">, Preset>> = {
  evidently,
  nannyml,
  azure,
  tfdv,
  sagemaker,
};
