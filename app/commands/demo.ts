import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { packageRoot } from "../package-root.ts";
import { newCommand } from "./command.ts";

export function demoCommand(): Command {
  return newCommand("demo", {
    does: "the whole loop on real data: flights of 2001, a model, a fault, drift, an e-mail, a retraining",
    example: "leeway demo --exit",
  })
    .option("--exit", "end when the loop has closed; it stays up to be looked at otherwise")
    .option("--full", "replay all three million flights")
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (_, command: Command) => {
      const sub = command.parent?.args ?? [];
      const args = sub.slice(sub.indexOf("demo") + 1);
      process.exitCode = await run(args);
    });
}

/** The demo is a program of its own, and the service knows nothing of it. */
function run(args: readonly string[]): Promise<number> {
  const built = join(packageRoot, "dist", "demo", "main.js");
  const program = existsSync(built) ? [built] : ["--import", "tsx", join(packageRoot, "demo", "main.ts")];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [...program, ...args], { stdio: "inherit" });
    const ignore = () => undefined; // a terminal sends its signals to the child as well, and the child decides
    process.on("SIGINT", ignore);
    const pass = () => child.kill("SIGTERM");
    process.on("SIGTERM", pass);
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(signal === null ? (code ?? 1) : 1));
  });
}
