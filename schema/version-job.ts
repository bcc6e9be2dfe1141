import { z } from "zod";
import { versionNumber } from "./model-version.ts";

/** Work that goes on with a registered version; the version is not deleted meanwhile. */
export const versionJob = z
  .strictObject({
    id: z.string(),
    model: z.string(),
    version: versionNumber,
    what: z.string().meta({ description: "The job in a few words, and the API key it came with" }),
    since: z.string(),
    until: z.string().meta({ description: "When it counts as ended, if nothing more is heard of it" }),
  })
  .meta({ id: "VersionJob" });
export type VersionJob = z.infer<typeof versionJob>;
