import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { built } from "./built-program.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Stands for `deployer/own-program.ts` in tests: what the code under test starts is the built program, too. */
export function programArguments(from: string, name: string): string[] {
  return [built(relative(ROOT, fileURLToPath(new URL(`${name}.ts`, from))))];
}
