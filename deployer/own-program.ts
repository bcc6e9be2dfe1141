import { fileURLToPath } from "node:url";

/**
 * Arguments for Node to run one of our files as a program: as it was built, or from its source with the loader of
 * TypeScript.
 *
 * @param from - `import.meta.url` of the caller.
 * @param name - Of the file, relative to it and without its ending: `./check-child`.
 */
export function programArguments(from: string, name: string): string[] {
  if (!from.endsWith(".ts")) return [fileURLToPath(new URL(`${name}.js`, from))];
  return ["--import", import.meta.resolve("tsx"), fileURLToPath(new URL(`${name}.ts`, from))];
}
