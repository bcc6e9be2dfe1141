import { type Command, CommanderError } from "commander";
import { ServiceError } from "../schema/errors.ts";
import { AnsweredError } from "./api-client.ts";
import { didYouMean } from "./did-you-mean.ts";
import { maskAddresses } from "./mask.ts";

/** What a command's end means: 0 ok, 1 failed, 2 used wrongly, 3 the check says no. */
const EXIT = { ok: 0, failed: 1, usage: 2, no: 3 } as const;

/** Runs a command line to its end and returns the exit code. */
export async function runCli(program: Command, args: readonly string[]): Promise<number> {
  prepare(program);
  process.exitCode = EXIT.ok;
  try {
    await program.parseAsync(args, { from: "user" });
    return Number(process.exitCode);
  } catch (error) {
    return reportFailure(error, args.includes("--json") ? "json" : "text");
  }
}

/** A wrong call ends with one line and the way to the help. */
function prepare(command: Command): void {
  command.exitOverride().configureOutput({
    outputError: (text, write) => {
      const line = text
        .replace(/^error: /, "")
        .trim()
        .replaceAll("\n", " ");
      write(`leeway: ${line}; ${fullName(command)} --help shows how\n`);
    },
  });
  if (command.commands.length > 0 && command.registeredArguments.length === 0) {
    command.allowExcessArguments().action(() => {
      const [written] = command.args;
      if (written !== undefined) command.error(`error: ${unknownCommand(written, command)}`);
      command.outputHelp({ error: true });
      process.exitCode = EXIT.usage;
    });
  }
  for (const sub of command.commands) prepare(sub);
}

function unknownCommand(written: string, { commands }: Command): string {
  const names = commands.map((command) => command.name());
  const meant = didYouMean(written, names);
  return `unknown command '${written}' (${meant ? `Did you mean ${meant}?` : `there are ${names.join(", ")}`})`;
}

function fullName(command: Command): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}

function reportFailure(thrown: unknown, form: "json" | "text"): number {
  if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage;
  const error = isRefusedBySystem(thrown) ? new ServiceError("unavailable", thrown.message) : thrown;
  if (!(error instanceof ServiceError)) {
    process.stderr.write(`leeway: this is a fault of leeway itself, please report it: ${stackOf(error)}\n`);
    return EXIT.failed;
  }
  if (form === "json") {
    const { code, message: detail, issues: errors } = error;
    process.stderr.write(`${maskAddresses(JSON.stringify({ code, detail, errors }))}\n`);
  } else {
    const issues = error.issues.map(({ path, message }) => `\n  ${path === "" ? "" : `${path}: `}${message}`);
    process.stderr.write(`leeway: ${error.message}${issues.join("")}\n`);
  }
  const ours = !(error instanceof AnsweredError);
  return ours && (error.code === "invalid-input" || error.code === "invalid-config")
    ? EXIT.usage
    : EXIT.failed;
}

/** A file that is not there, a full disk, a folder of somebody else: no fault of the program. */
function isRefusedBySystem(error: unknown): error is Error {
  return error instanceof Error && "syscall" in error && "code" in error;
}

function stackOf(error: unknown): string {
  return maskAddresses(error instanceof Error ? (error.stack ?? error.message) : String(error));
}
