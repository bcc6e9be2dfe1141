import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import type { Command } from "commander";
import { ServiceError } from "../../schema/errors.ts";
import type { Profile, ProfileComparison, ProfileSummary } from "../../schema/profile.ts";
import type { ApiClient } from "../api-client.ts";
import type { CompareFlags } from "../compare-flags.ts";
import type { RunFlags } from "../profile-flags.ts";
import type { ProfiledModel } from "../profile-model.ts";
import { startProgress } from "../progress.ts";
import type { RecordedPayloads } from "../recorded-payloads.ts";
import { versionJob } from "../version-job.ts";
import { clientFor, newCommand, newGroup, path, print, type ServerOptions, withServer } from "./command.ts";
import { withLoad } from "./load-options.ts";

export function profileCommand(): Command {
  const run = withLoad(
    newCommand("run", {
      does: "load a scoring service, and recommend the smallest CPU and memory that meet a latency objective; exits 3 when that did not hold",
      example: `leeway profile run --command "python3 serve.py {port}" --ready /ping --path /score \\
  --payloads rows.ndjson --rate 100 --slo p99=50ms --quick
leeway profile run --url http://127.0.0.1:9000/score --payloads rows.csv --rate 100 --slo p99=50ms --html report.html`,
    })
      .addHelpText(
        "after",
        `
The command runs on this machine and has to listen on the port in {port} or $PORT (or on --port). With --url only
that host is loaded, and no limits can be set. Nothing else is ever sent a request. Exit codes: 0 the recommendation
holds, 1 failed, 2 used wrongly, 3 it did not hold in the verifying run. More: docs/profiling.md`,
      )
      .option("--model <model>", "ONNX file, or NAME, NAME:VERSION or NAME@ALIAS of the server")
      .option("--threads <count>", "threads of one run of the model; auto tries what the cores bear", "auto")
      .option("--command <text>", "command for the shell that starts the service")
      .option("--url <url>", "address of a service that runs already, path included")
      .option("--name <name>", "name of the profile in lists and reports")
      .option("--of <model:version>", "registered version that the service serves, for lists")
      .option("--port <port>", "port that the command listens on; a free one is given to it when absent"),
  )
    .option(
      "--recorded <model>",
      "send what the server has recorded of NAME or NAME:VERSION, as rows by name",
    )
    .option("--recorded-last <time>", "recorded in so much time until now (24h)")
    .option("--errors <share>", "share of the requests that may fail", "0.001")
    .option("--quick", "45 seconds instead of 4 minutes; grade C at best")
    .option("--budget <seconds>", "time that the whole profile may take")
    .option("--soak <time>", "go on at the target rate for so long after that, to see leaks: 30m")
    .option("--max-cpu <cores>", "largest size that is tried (the machine's cores)")
    .option("--cpu-hour <price>", "price of a core for an hour, for the cost of a million predictions")
    .option("--gib-hour <price>", "price of a GiB of memory for an hour")
    .option("--html <file>", "write a report")
    .option("--out <file>", "write the whole profile as JSON")
    .option("--save", "keep the profile on the server")
    .option("--server <url>", "address of that server (LEEWAY_URL; http://127.0.0.1:8420 when absent)")
    .option("--api-key <key>", "key for it (LEEWAY_API_KEY)")
    .action(runCommand);
  const compare = withLoad(
    newCommand("compare", {
      does: "load two services in turns and say which figures really differ; leaves both as they were",
      example: `leeway profile compare "python3 a.py {port}" "python3 b.py {port}" \\
  --path /score --payloads rows.ndjson --rate 100 --slo p99=50ms
leeway profile compare before.json http://127.0.0.1:9000/score --rate 100 --slo p99=50ms`,
    })
      .addHelpText(
        "after",
        `
A and B are commands, addresses, or files that leeway profile run --out wrote (what they profiled is run again).
Both are up at the same time; each pair of windows has the same arrivals, and its order is drawn at random.`,
      )
      .argument("<a>", "command, address or profile file")
      .argument("<b>", "the same"),
  )
    .option("--cpu <cores>", "CPU limit of each")
    .option("--memory <MiB>", "memory limit of each")
    .option("--pairs <count>", "pairs of windows", "12")
    .option("--window <seconds>", "length of a window", "3")
    .option("--out <file>", "write everything as JSON")
    .action(compareCommand);
  const list = withServer(
    newCommand("list", {
      does: "profiles kept on the server, newest first",
      example: "leeway profile list --model churn",
    }),
  )
    .option("--model <name>", "of this model only")
    .action(async (options: ServerOptions & { readonly json?: boolean; readonly model?: string }) => {
      const query = options.model === undefined ? "" : `?${new URLSearchParams({ model: options.model })}`;
      const { profiles } = await clientFor(options).json<{ profiles: ProfileSummary[] }>({
        path: `/v1/profiles${query}`,
      });
      print(profiles, options, () => (profiles.length === 0 ? "no profiles" : profiles.map(line).join("\n")));
    });
  const show = withServer(
    newCommand("show", {
      does: "a profile kept on the server, or in a file that --out wrote",
      example: "leeway profile show profile.json --html report.html",
    }),
  )
    .argument("<profile>", "id, or file")
    .option("--html <file>", "write a report")
    .option("--kubernetes", "print the resources section only")
    .action(showCommand);
  return newGroup("profile", "how much CPU and memory does a service need?", [run, compare, list, show]);
}

type ShowOptions = ServerOptions & {
  readonly json?: boolean;
  readonly html?: string;
  readonly kubernetes?: boolean;
};

async function showCommand(name: string, options: ShowOptions): Promise<void> {
  const { profileText } = await import("../../profiler/report/profile-text.ts");
  const found = await storedProfile(name, options);
  if (options.html !== undefined) await writeReport(options.html, found);
  if (options.kubernetes) process.stdout.write(found.kubernetes);
  else print(found, options, (profile: Profile) => profileText(profile));
}

/** A profile by its file when there is one of that name, otherwise by its id from the server. */
async function storedProfile(name: string, options: ServerOptions): Promise<Profile> {
  if (!existsSync(name)) return clientFor(options).json<Profile>({ path: path`/v1/profiles/${name}` });
  const { profile } = await import("../../schema/profile.ts");
  try {
    return profile.parse(JSON.parse(readFileSync(name, "utf8")));
  } catch (error) {
    throw new ServiceError("invalid-input", `${name} is not a profile that leeway profile run --out wrote`, {
      cause: error,
    });
  }
}

async function writeReport(file: string, found: Profile): Promise<void> {
  const { profileHtml } = await import("../../profiler/report/profile-html.ts");
  writeFileSync(file, profileHtml(found));
}

function line({ id, name, created_at, grade, verdict, recommendation }: ProfileSummary): string {
  const { cpu, memory_bytes, replicas } = recommendation;
  const size =
    cpu === null || memory_bytes === null
      ? "no size"
      : `${replicas ?? 1} x ${cpu} cores, ${Math.round(memory_bytes / 1024 / 1024)} MiB`;
  return [id, created_at.slice(0, 16), `grade ${grade}`, verdict.padEnd(7), size, name].join("  ");
}

async function compareCommand(a: string, b: string, flags: CompareFlags): Promise<void> {
  const [{ compareCandidates }, { comparisonText }, { compareRequestOf }, { profileSurroundings }] =
    await Promise.all([
      import("../../profiler/compare-candidates.ts"),
      import("../../profiler/report/comparison-text.ts"),
      import("../compare-flags.ts"),
      import("../profile-surroundings.ts"),
    ]);
  const request = compareRequestOf(a, b, flags);
  const found = await untilStopped("comparing", (signal, onPhase) =>
    compareCandidates(request, profileSurroundings(signal, onPhase)),
  );
  if (flags.out !== undefined) writeFileSync(flags.out, `${JSON.stringify(found, null, 2)}\n`);
  print(found, flags, (comparison: ProfileComparison) => comparisonText(comparison));
}

async function runCommand(flags: RunFlags): Promise<void> {
  const [{ runProfile }, { profileText }, { checkTarget, profileRequestOf }, { profileSurroundings }] =
    await Promise.all([
      import("../../profiler/run-profile.ts"),
      import("../../profiler/report/profile-text.ts"),
      import("../profile-flags.ts"),
      import("../profile-surroundings.ts"),
    ]);
  checkTarget(flags);
  const found = await untilStopped("profiling", async (signal, onPhase) => {
    const served: { readonly served?: ProfiledModel } =
      flags.model === undefined ? {} : { served: await servedBy(flags.model, flags, signal) };
    const job = versionJob("profile run");
    try {
      const request = profileRequestOf(flags, { ...served, ...(await recordedOf(flags)) });
      // A version that is fetched is in use as it is; with another service only a server that is to have the profile is told.
      if (!served.served && request.of && flags.save) await job.begin(serverOf(flags), request.of);
      return await runProfile(request, profileSurroundings(signal, onPhase));
    } finally {
      await job.end();
      await served.served?.remove();
    }
  });
  if (flags.html !== undefined) await writeReport(flags.html, found);
  if (flags.out !== undefined) writeFileSync(flags.out, `${JSON.stringify(found, null, 2)}\n`);
  if (flags.save) await serverOf(flags).send("POST", "/v1/profiles", found);
  print(found, flags, (profile: Profile) => profileText(profile));
  process.exitCode = ["fails", "disturbed"].includes(found.verified.verdict) ? 3 : 0;
}

/** `--url` is the service's address here, so the server has another name. */
function serverOf({ server, apiKey }: RunFlags): ApiClient {
  return clientFor({
    ...(server === undefined ? {} : { url: server }),
    ...(apiKey === undefined ? {} : { apiKey }),
  });
}

async function recordedOf(flags: RunFlags): Promise<{ readonly recorded?: RecordedPayloads }> {
  if (flags.recorded === undefined) return {};
  const [{ recordedPayloads }, { recordedLastMs }] = await Promise.all([
    import("../recorded-payloads.ts"),
    import("../profile-flags.ts"),
  ]);
  const lastMs = recordedLastMs(flags);
  const { rows } = flags;
  const recorded = await recordedPayloads(flags.recorded, {
    client: serverOf(flags),
    lastMs,
    rows,
    now: new Date(),
  });
  return { recorded };
}

async function servedBy(model: string, flags: RunFlags, signal: AbortSignal): Promise<ProfiledModel> {
  const [{ profiledModel }, { numberFlag, splitsOf }] = await Promise.all([
    import("../profile-model.ts"),
    import("../profile-flags.ts"),
  ]);
  return profiledModel(model, {
    client: () => serverOf(flags),
    ...splitsOf(flags, cpus().length),
    seed: Math.round(numberFlag("--seed", flags.seed, { least: 0, most: 2 ** 31 })),
    signal,
  });
}

/** Runs with progress; Ctrl-C and SIGTERM end it in order: the service, its limits and the load generator go first. */
async function untilStopped<T>(
  label: string,
  work: (signal: AbortSignal, onPhase: (share: number, note: string) => void) => Promise<T>,
): Promise<T> {
  const stopping = new AbortController();
  const stop = (signal: NodeJS.Signals) =>
    stopping.abort(
      new ServiceError("unavailable", `stopped by ${signal}: the service and its limits are gone`),
    );
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, stop);
  const progress = startProgress(label, 1);
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
