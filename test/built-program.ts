import { join } from "node:path";
import { inject } from "vitest";

/** A file of the program as it was built for this run, named by its source: `built("app/cli.ts")`. */
export function built(source: string): string {
  return join(inject("built"), source.replace(/\.ts$/, ".js"));
}
