import { readFileSync } from "node:fs";
import { type Command, Option } from "commander";
import type { Address, SidecarOptions } from "../../collector/sidecar/options.ts";
import { parseRedaction, type Redaction } from "../../collector/sidecar/redact.ts";
import { ServiceError } from "../../schema/errors.ts";
import { featureName, resourceName } from "../../schema/names.ts";
import { newCommand } from "./command.ts";
import { stopSignal } from "./stop-signal.ts";

interface Flags {
  readonly upstream: string;
  readonly model: string;
  readonly modelVersion?: string;
  readonly deployment?: string;
  readonly collector?: string;
  readonly apiKey?: string;
  readonly listen: string;
  readonly admin: string;
  readonly sample: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly redact: readonly string[];
  readonly only: readonly string[];
  readonly skip: readonly string[];
  readonly idHeader: readonly string[];
  readonly answerIdHeader: string;
  readonly maxBody: string;
  readonly memory: string;
  readonly spoolDir: string;
  readonly spoolSize: string;
  readonly drain: string;
  readonly json?: boolean;
}

const ID_HEADERS = ["x-request-id", "ce-id", "x-amzn-sagemaker-inference-id"];

export function sidecarCommand(): Command {
  return newCommand("sidecar", {
    does: "stand before a scoring service, pass every call on untouched, and send what was asked and answered to Leeway",
    example: `leeway sidecar --upstream http://127.0.0.1:9000 --model churn
leeway sidecar --upstream http://127.0.0.1:9000 --model churn --sample 0.1 --redact email=hash,name --skip '*/explain'
leeway sidecar --upstream https://models.internal/churn --model churn --listen 0.0.0.0:8421 \\
  --collector https://leeway.example.org --spool-dir /var/lib/leeway-sidecar`,
  })
    .addHelpText(
      "after",
      `
Callers then use the address of --listen. /metrics and /healthz are at --admin. While the collector
is away, records wait in --spool-dir; scored calls never wait. More: docs/sidecar.md`,
    )
    .requiredOption("--upstream <url>", "address of the scoring service")
    .requiredOption("--model <name>", "model that the records belong to")
    .option("--model-version <version>", "version of the model; what the service says itself when absent")
    .option("--deployment <name>", "deployment that the records belong to")
    .addOption(
      list(
        "--inputs <names>",
        "names for the numbers of a list that comes without, in order: those the model was trained with",
        "input_0, input_1, …",
      ),
    )
    .addOption(list("--outputs <names>", "the same for lists that are answered", "prediction, …"))
    .option("--collector <url>", "address of the Leeway server (LEEWAY_URL; http://127.0.0.1:8420)")
    .option("--api-key <key>", "key for it (LEEWAY_API_KEY, or a file named by LEEWAY_API_KEY_FILE)")
    .option("--listen <address>", "where calls come in, as host:port", "127.0.0.1:8421")
    .option("--admin <address>", "where /metrics and /healthz are, as host:port", "127.0.0.1:8422")
    .option(
      "--sample <share>",
      "share of the calls that is recorded, by their id; failed calls are recorded all",
      "1",
    )
    .addOption(
      list(
        "--redact <names>",
        "features and outputs that are dropped, name=hash or name=truncate:4 (the key of the hash is in LEEWAY_REDACT_KEY, or a file named by LEEWAY_REDACT_KEY_FILE)",
        "none",
      ),
    )
    .addOption(list("--only <paths>", "record calls to these paths only, * stands for anything", "all"))
    .addOption(list("--skip <paths>", "record no calls to these paths", "none"))
    .addOption(
      new Option("--id-header <names>", "request headers that name the call; the first one present wins")
        .argParser(listed)
        .default(ID_HEADERS, ID_HEADERS.join(",")),
    )
    .option(
      "--answer-id-header <name>",
      "response header that tells the id; none for none",
      "x-leeway-record-id",
    )
    .option("--max-body <bytes>", "longest body that is decoded; longer ones pass all the same", "1MiB")
    .option("--memory <bytes>", "most memory for what waits", "64MiB")
    .option(
      "--spool-dir <folder>",
      "folder for what the collector does not take; none for none",
      "./leeway-spool",
    )
    .option("--spool-size <bytes>", "most that may wait there", "1GiB")
    .option("--drain <seconds>", "how long the end may take after SIGTERM", "10")
    .action(runSidecar);
}

async function runSidecar(flags: Flags): Promise<void> {
  const options = optionsOf(flags, process.env);
  const [{ createLog }, { startSidecar }] = await Promise.all([
    import("../log.ts"),
    import("../../collector/sidecar/sidecar.ts"),
  ]);
  const look = process.stdout.isTTY && !flags.json ? "plain" : "json";
  const log = createLog({ level: "info", look });
  const sidecar = await startSidecar(options, (level, message, fields) => log[level]({ ...fields }, message));
  log.info(
    {
      url: sidecar.url,
      admin_url: sidecar.adminUrl,
      upstream: options.upstream,
      collector: options.collector,
      model: options.model,
    },
    "calls are passed on",
  );
  await stopSignal((signal) => log.info({ signal }, "stopping: finishing the calls under way"));
  await sidecar.close();
  log.info("stopped");
}

function optionsOf(flags: Flags, env: Readonly<Record<string, string | undefined>>): SidecarOptions {
  const redactKey = secret(env, "LEEWAY_REDACT_KEY");
  const redactions = flags.redact.map((text) => redactionOf(text, redactKey));
  return {
    upstream: address("--upstream", flags.upstream),
    model: named("--model", flags.model),
    version: flags.modelVersion === undefined ? undefined : named("--model-version", flags.modelVersion),
    deployment: flags.deployment === undefined ? undefined : named("--deployment", flags.deployment),
    featureNames: namesOf("--inputs", flags.inputs),
    outputNames: namesOf("--outputs", flags.outputs),
    collector: address("--collector", flags.collector ?? env.LEEWAY_URL ?? "http://127.0.0.1:8420"),
    apiKey: flags.apiKey ?? secret(env, "LEEWAY_API_KEY"),
    listen: hostAndPort("--listen", flags.listen),
    admin: hostAndPort("--admin", flags.admin),
    sample: numberOf("--sample", flags.sample, { above: 0, most: 1 }),
    redactions,
    redactKey,
    onlyPaths: flags.only,
    skipPaths: flags.skip,
    idHeaders: flags.idHeader.filter((name) => name !== "none").map((name) => name.toLowerCase()),
    answerIdHeader: flags.answerIdHeader === "none" ? undefined : headerName(flags.answerIdHeader),
    bodyBytes: bytesOf("--max-body", flags.maxBody),
    memoryBytes: bytesOf("--memory", flags.memory),
    spoolDir: flags.spoolDir === "none" ? undefined : flags.spoolDir,
    spoolBytes: bytesOf("--spool-size", flags.spoolSize),
    drainMs: numberOf("--drain", flags.drain, { above: -1, most: 3_600 }) * 1_000,
  };
}

function list(flags: string, does: string, none: string): Option {
  return new Option(flags, does).argParser(listed).default([], none);
}

function listed(text: string, before: readonly string[] | string): readonly string[] {
  const items = text.split(",").map((item) => item.trim());
  const given = before === ID_HEADERS || !Array.isArray(before) ? [] : before;
  return [...given, ...items.filter((item) => item !== "")];
}

function refuse(flag: string, value: string, expected: string): ServiceError {
  return new ServiceError("invalid-input", `${flag} ${value}: expected ${expected}`);
}

function address(flag: string, text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "") {
    throw refuse(flag, text, "an address such as http://127.0.0.1:9000");
  }
  if (url.username !== "" || url.password !== "") {
    throw new ServiceError(
      "invalid-input",
      `${flag}: an address with a password is not taken; use --api-key or a header`,
    );
  }
  return url.href;
}

function named(flag: string, text: string): string {
  const parsed = resourceName.safeParse(text);
  if (!parsed.success)
    throw refuse(flag, text, parsed.error.issues[0]?.message.replace(/^expected /, "") ?? "a name");
  return parsed.data;
}

function namesOf(flag: string, names: readonly string[]): readonly string[] | undefined {
  for (const name of names) {
    if (!featureName.safeParse(name).success || names.indexOf(name) !== names.lastIndexOf(name))
      throw refuse(flag, names.join(), "names of features, each once");
  }
  return names.length === 0 ? undefined : names;
}

function headerName(text: string): string {
  if (!/^[\w!#$%&'*+.^`|~-]{1,128}$/.test(text))
    throw refuse("--answer-id-header", text, "the name of a header");
  return text;
}

function hostAndPort(flag: string, text: string): Address {
  const [, host = "", port = ""] = /^(.*):(\d{1,5})$/.exec(text) ?? [];
  if (host === "" || Number(port) > 65_535) throw refuse(flag, text, "host:port, such as 127.0.0.1:8421");
  return { host: host.replace(/^\[|\]$/g, ""), port: Number(port) };
}

function numberOf(
  flag: string,
  text: string,
  { above, most }: { readonly above: number; readonly most: number },
): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (!(value > above && value <= most)) throw refuse(flag, text, `a number above ${above}, at most ${most}`);
  return value;
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 1024,
  mib: 1024 ** 2,
  gib: 1024 ** 3,
};

function bytesOf(flag: string, text: string): number {
  const [, amount, unit = ""] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const factor = UNITS[unit.toLowerCase()];
  if (amount === undefined || factor === undefined)
    throw refuse(flag, text, "an amount such as 512KiB, 64MiB or 1GB");
  return Math.round(Number(amount) * factor);
}

function redactionOf(text: string, key: string | undefined): Redaction {
  try {
    const redaction = parseRedaction(text);
    if (redaction.how === "hash" && !key) {
      throw new ServiceError(
        "invalid-input",
        `--redact ${text}: LEEWAY_REDACT_KEY holds no key to hash with`,
      );
    }
    return redaction;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new ServiceError("invalid-input", `--redact: ${error.message}`);
  }
}

/** A secret from the variable, or from the file that `<variable>_FILE` names. */
function secret(env: Readonly<Record<string, string | undefined>>, variable: string): string | undefined {
  if (env[variable]) return env[variable];
  const file = env[`${variable}_FILE`];
  if (!file) return undefined;
  try {
    return readFileSync(file, "utf8").trim() || undefined;
  } catch (error) {
    throw new ServiceError(
      "invalid-config",
      `${variable}_FILE ${file} cannot be read: ${(error as Error).message}`,
    );
  }
}
