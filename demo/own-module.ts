import { extname, join } from "node:path";
import { packageRoot } from "../app/package-root.ts";

/**
 * Arguments for Node to run one of the project's modules as this program itself was started: from its source with the
 * loader of TypeScript, or as it was built.
 *
 * @param module - Below the project's root, without its extension: `app/cli`.
 */
export function moduleArguments(module: string): string[] {
  const source = extname(import.meta.filename) === ".ts"; // under tsx, whose loader is in execArgv
  const file = source ? join(packageRoot, `${module}.ts`) : join(packageRoot, "dist", `${module}.js`);
  return [...process.execArgv, file];
}

/** The demo is the same for everybody: whatever a user has set for a Leeway of his own does not count here. */
export function withoutSettings(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith("LEEWAY_")));
}
