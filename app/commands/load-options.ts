import { type Command, Option } from "commander";
import { limiterKinds } from "../../profiler/limiters/limiter.ts";
import { rowForms } from "../../profiler/payloads.ts";

/** Adds the options that say how requests look, how many there are, and what is good. */
export function withLoad(command: Command): Command {
  return command
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
    .addOption(
      new Option("--arrivals <kind>", "independent callers, or evenly spaced")
        .choices(["poisson", "constant"])
        .default("poisson"),
    )
    .option("--timeout <seconds>", "after which a request counts as failed", "10")
    .option("--max-requests <count>", "requests that are sent at most, whatever else is asked for", "1000000")
    .addOption(
      new Option("--limiter <kind>", "use this way of limiting only (the best there is)").choices(
        limiterKinds,
      ),
    )
    .option("--seed <number>", "seed of the arrivals", "1");
}

function collect(text: string, before: readonly string[]): readonly string[] {
  return [...before, text];
}
