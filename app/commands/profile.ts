import { writeFileSync } from "node:fs";
import { type Command, Option } from "commander";
import { limiterKinds } from "../../profiler/limiters/limiter.ts";
import { rowForms } from "../../profiler/payloads.ts";
import { ServiceError } from "../../schema/errors.ts";
import type { Profile } from "../../schema/profile.ts";
import type { RunFlags } from "../profile-flags.ts";
import { startProgress } from "../progress.ts";
import { newCommand, newGroup, print } from "./command.ts";

export function profileCommand(): Command {
  const run = newCommand("run", {
    does: "load a scoring service, and recommend the smallest CPU and memory that meet a latency objective; exits 3 when none does",
    example: `leeway profile run --command "python3 serve.py {port}" --ready /ping --path /score \\
  --payloads rows.ndjson --rate 100 --slo p99=50ms --quick
leeway profile run --url http://127.0.0.1:9000/score --payloads rows.csv --rate 100 --slo p99=50ms --html report.html`,
  })
    .addHelpText(
      "after",
      `
The command runs on this machine and has to listen on the port in {port} or $PORT (or on --port). With --url only
that host is loaded, and no limits can be set. Nothing else is ever sent a request. Exit codes: 0 the recommendation
holds, 1 failed, 2 used wrongly, 3 no size meets the objective. More: docs/profiling.md`,
    )
    .option("--command <text>", "command for the shell that starts the service")
    .option("--url <url>", "address of a service that runs already, path included")
    .option("--name <name>", "name of the profile in lists and reports")
    .option("--port <port>", "port that the command listens on; a free one is given to it when absent")
    .option(
      "--ready <path>",
      "path that answers 2xx when the service is ready; taking connections is enough when absent",
    )
    .option("--ready-timeout <seconds>", "how long it may take to be ready", "60")
    .option("--path <path>", "path that is loaded (/)")
    .option("--method <method>", "method of the requests (POST with payloads, otherwise GET)")
    .option("--header <header>", "header of the requests, as name:value; may be given again", collect, [])
    .option(
      "--payloads <file>",
      "bodies of the requests: NDJSON, JSON array or CSV; any other file is one body",
    )
    .addOption(
      new Option("--rows <form>", "how a CSV row becomes a body").choices(rowForms).default("object"),
    )
    .option("--expect-status <codes>", "status codes that count as good", "200-299")
    .option("--expect-body <pattern>", "regular expression that a good answer's body matches")
    .requiredOption("--rate <per-second>", "requests per second that have to be borne")
    .requiredOption("--slo <objective>", "latency objective, such as p99=50ms")
    .option("--errors <share>", "share of the requests that may fail", "0.001")
    .addOption(
      new Option("--arrivals <kind>", "independent callers, or evenly spaced")
        .choices(["poisson", "constant"])
        .default("poisson"),
    )
    .option("--timeout <seconds>", "after which a request counts as failed", "10")
    .option("--quick", "45 seconds instead of 4 minutes; grade C at best")
    .option("--budget <seconds>", "time that the whole profile may take")
    .option("--max-requests <count>", "requests that are sent at most, whatever else is asked for", "1000000")
    .option("--max-cpu <cores>", "largest size that is tried (the machine's cores)")
    .addOption(
      new Option("--limiter <kind>", "use this way of limiting only (the best there is)").choices(
        limiterKinds,
      ),
    )
    .option("--seed <number>", "seed of the arrivals", "1")
    .option("--cpu-hour <price>", "price of a core for an hour, for the cost of a million predictions")
    .option("--gib-hour <price>", "price of a GiB of memory for an hour")
    .option("--html <file>", "write a report")
    .option("--out <file>", "write the whole profile as JSON")
    .action(runCommand);
  return newGroup("profile", "how much CPU and memory does a service need?", [run]);
}

async function runCommand(flags: RunFlags): Promise<void> {
  const [{ runProfile }, { profileText }, { profileRequestOf }, { profileSurroundings }] = await Promise.all([
    import("../../profiler/run-profile.ts"),
    import("../../profiler/report/profile-text.ts"),
    import("../profile-flags.ts"),
    import("../profile-surroundings.ts"),
  ]);
  const request = profileRequestOf(flags);
  const found = await untilStopped((signal, onPhase) =>
    runProfile(request, profileSurroundings(signal, onPhase)),
  );
  if (flags.html !== undefined) {
    const { profileHtml } = await import("../../profiler/report/profile-html.ts");
    writeFileSync(flags.html, profileHtml(found));
  }
  if (flags.out !== undefined) writeFileSync(flags.out, `${JSON.stringify(found, null, 2)}\n`);
  print(found, flags, (profile: Profile) => profileText(profile));
  process.exitCode = found.verified.verdict === "fails" ? 3 : 0;
}

/** Runs with progress; Ctrl-C and SIGTERM end it in order: the service, its limits and the load generator go first. */
async function untilStopped<T>(
  work: (signal: AbortSignal, onPhase: (share: number, note: string) => void) => Promise<T>,
): Promise<T> {
  const stopping = new AbortController();
  const stop = (signal: NodeJS.Signals) =>
    stopping.abort(
      new ServiceError("unavailable", `stopped by ${signal}: the service and its limits are gone`),
    );
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, stop);
  const progress = startProgress("profiling", 1);
  try {
    return await work(stopping.signal, (share, note) => progress.update(share, note));
  } catch (error) {
    if (stopping.signal.aborted) throw stopping.signal.reason;
    throw error;
  } finally {
    progress.end();
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, stop);
  }
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}
