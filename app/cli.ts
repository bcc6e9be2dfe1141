#!/usr/bin/env node
import { buildProgram } from "./program.ts";
import { runCli } from "./run-cli.ts";

// Whoever reads the output may have enough of it, as `head` does.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit();
  throw error;
});

process.exitCode = await runCli(buildProgram(), process.argv.slice(2));
