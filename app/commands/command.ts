import { Command } from "commander";
import { ApiClient } from "../api-client.ts";

/** A command as all of them are: a line on what it does, `--json`, and an example under its help. */
export function newCommand(
  name: string,
  about: { readonly does: string; readonly example: string },
): Command {
  return new Command(name)
    .description(about.does)
    .option("--json", "print JSON for machines")
    .addHelpText("after", `\nExample:\n  ${about.example.replaceAll("\n", "\n  ")}`);
}

/** A noun: it has verbs and does nothing by itself. */
export function newGroup(name: string, does: string, verbs: readonly Command[]): Command {
  const group = new Command(name).description(does);
  for (const verb of verbs) group.addCommand(verb);
  return group;
}

export interface ServerOptions {
  readonly url?: string;
  readonly apiKey?: string;
}

/** Adds the options that say which server is meant. */
export function withServer(command: Command): Command {
  return command
    .option("--url <url>", "address of the server (LEEWAY_URL; http://127.0.0.1:8420 when absent)")
    .option("--api-key <key>", "key for it (LEEWAY_API_KEY)");
}

export function clientFor({ url, apiKey }: ServerOptions): ApiClient {
  return new ApiClient({
    url: url ?? process.env.LEEWAY_URL ?? "http://127.0.0.1:8420",
    apiKey: apiKey ?? process.env.LEEWAY_API_KEY,
  });
}

/** Prints the value as JSON, or as the text made of it for people. */
export function print<T>(value: T, options: { readonly json?: boolean }, text: (value: T) => string): void {
  process.stdout.write(`${options.json ? JSON.stringify(value, null, 2) : text(value)}\n`);
}

/** `/v1/models/${model}` with each name encoded. */
export function path(parts: TemplateStringsArray, ...names: readonly string[]): string {
  return String.raw({ raw: parts }, ...names.map(encodeURIComponent));
}
