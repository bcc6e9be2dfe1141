import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { moduleArguments, withoutSettings } from "./own-module.ts";

const run = promisify(execFile);

/** Runs `leeway` with these words against the demo's server, and answers what it prints. */
export type CommandLine = (...words: readonly string[]) => Promise<string>;

/** @returns The command line as a person at a terminal has it, each command in a process of its own. */
export function commandLine(url: string): CommandLine {
  const env = { ...withoutSettings(process.env), LEEWAY_URL: url };
  return async (...words) => {
    const { stdout } = await run(process.execPath, [...moduleArguments("app/cli"), ...words], { env }).catch(
      (error: Error & { readonly stderr?: string }) => {
        throw new Error(`leeway ${written(words)}: ${error.stderr?.trim() || error.message}`);
      },
    );
    return stdout.trimEnd();
  };
}

/** The words as one types them. */
export function written(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `"${word}"`)).join(" ");
}
