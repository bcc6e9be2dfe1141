import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Profile, profile } from "../../schema/profile.ts";

/** A profile that was really made, with fewer windows. */
export function sampleProfile(): Profile {
  return profile.parse(JSON.parse(readFileSync(join(import.meta.dirname, "sample-profile.json"), "utf8")));
}
