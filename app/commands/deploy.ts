import { resolve } from "node:path";
import { type Command, Option } from "commander";
import type { DeploymentSpec, DeploymentStatus } from "../../schema/deployment.ts";
import { ServiceError } from "../../schema/errors.ts";
import { AnsweredError, type ApiClient } from "../api-client.ts";
import { callerKeys } from "../caller-keys.ts";
import { clientFor, newCommand, path, print, type ServerOptions, withServer } from "./command.ts";

type Options = ServerOptions & { readonly json?: boolean; readonly why?: string };

interface ListOptions extends Options {
  readonly model?: string;
  readonly version?: string;
  readonly tag: readonly string[];
  readonly running?: boolean;
}

interface DeployOptions extends Options {
  readonly tag: readonly string[];
  readonly replicas?: string;
  readonly minReplicas?: string;
  readonly maxReplicas?: string;
  readonly utilisation?: string;
  readonly canary?: string;
  readonly shadow?: string;
  readonly host?: string;
  readonly port?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsClientCa?: string;
  readonly callerKey: readonly string[];
  readonly allowModule?: string;
  readonly microBatch?: string;
  readonly microBatchMs?: string;
  readonly sample?: string;
  readonly recordTime?: string;
  readonly batchMs?: string;
  readonly capture: boolean;
}

export function deployCommand(): Command {
  const deploy = withServer(
    newCommand("deploy", {
      does: "serve a version of a model, or change what is served without a dropped call",
      example: `leeway deploy churn-live churn@champion --replicas 2
leeway deploy churn-live churn:4 --canary 10
leeway deploy promote churn-live
leeway deploy rollback churn-live --why "complaints"`,
    }),
  )
    .enablePositionalOptions() // what stands behind promote, status … is theirs
    .argument("[name]", "of the deployment")
    .argument("[model]", "model, model:version or model@alias; the newest version when there is none")
    .option("--replicas <count>", "processes, or auto for as many as the load asks for; 1 when it is new")
    .option("--min-replicas <count>", "with auto: the fewest; 1 when it is new")
    .option("--max-replicas <count>", "with auto: the most; one per processor when it is new")
    .option("--utilisation <share>", "with auto: share of the time they are to be busy; 0.6 when it is new")
    .option(
      "--canary <percent>",
      "give the version this share of the calls, and the rest to what is served now",
    )
    .option(
      "--shadow <version>",
      "a version (or @alias) that scores too and whose answers are only compared and stored",
    )
    .option("--tag <k=v>", "a tag to find it by; may be given again, --tag k= takes one away", gathered, [])
    .option("--host <address>", "where to score; 127.0.0.1 when it is new")
    .option("--port <port>", "port to score at; the first that is free from 8430 on when it is new")
    .option("--tls-cert <file>", "score over TLS with this certificate (PEM, on the server's machine)")
    .option("--tls-key <file>", "its key")
    .option("--tls-client-ca <file>", "callers must have a certificate that this one has signed")
    .option(
      "--caller-key <name=file>",
      "callers must have a key: the one in this file, or another; may be given again, NAME= takes one away, none all",
      gathered,
      [],
    )
    .option(
      "--allow-module <file>",
      "run preprocess and postprocess of this file (.mjs) of the version around its model, whose author is trusted; none ends it",
    )
    .option("--micro-batch <rows>", "run instances of several requests at once, at most so many; 0 ends it")
    .option("--micro-batch-ms <ms>", "longest that a request waits for others; 0 when it is new")
    .option("--sample <share>", "share of the scored instances that is collected; 1 when it is new")
    .option("--batch-ms <ms>", "longest that a record waits for others to be sent with; 1000 when it is new")
    .addOption(
      new Option(
        "--record-time <of>",
        "a record's time: that of the call, or of its header ce-time where it has one",
      ).choices(["call", "ce-time"]),
    )
    .addOption(new Option("--no-capture", "collect nothing"))
    .option("--why <text>", "why; it is kept with the plan")
    .action(async (name: string | undefined, model: string | undefined, options: DeployOptions) => {
      if (name === undefined || model === undefined)
        throw new ServiceError(
          "invalid-input",
          "say what to deploy: leeway deploy NAME MODEL[@alias or :version]",
        );
      const client = clientFor(options);
      const before = await found(client, name);
      const spec = specOf(model, options, before);
      const url = path`/v1/deployments/${name}` + reason(options);
      print(await client.send<DeploymentStatus>("PUT", url, spec), options, describe);
    });

  const verb = (word: "promote" | "rollback", does: string, example: string) =>
    withServer(newCommand(word, { does, example }))
      .argument("<name>")
      .option("--why <text>", "why; it is kept with the plan");
  deploy.addCommand(
    verb("promote", "give all calls to the canary", "leeway deploy promote churn-live")
      .option("--to <version>", "the version to have all calls, where there are several")
      .action(async (name: string, options: Options & { readonly to?: string }) => {
        const query = new URLSearchParams({
          ...(options.to === undefined ? {} : { version: options.to }),
          ...(options.why === undefined ? {} : { why: options.why }),
        });
        const url = `${path`/v1/deployments/${name}`}/promote?${query}`;
        print(await clientFor(options).send<DeploymentStatus>("POST", url, {}), options, describe);
      }),
  );
  deploy.addCommand(
    verb(
      "rollback",
      "go back to what was served before",
      'leeway deploy rollback churn-live --why "wrong prices"',
    ).action(async (name: string, options: Options) => {
      const url = `${path`/v1/deployments/${name}`}/rollback${reason(options)}`;
      print(await clientFor(options).send<DeploymentStatus>("POST", url, {}), options, describe);
    }),
  );
  deploy.addCommand(
    withServer(
      newCommand("status", { does: "how deployments are", example: "leeway deploy status churn-live" }),
    )
      .argument("[name]", "one of them, with its plans")
      .action(async (name: string | undefined, options: Options) => {
        const client = clientFor(options);
        if (name !== undefined) {
          const one = await client.json<DeploymentStatus>({ path: path`/v1/deployments/${name}` });
          print(one, options, (status) => `${describe(status)}\n${history(status)}`);
          return;
        }
        print(await allDeployments(client, new URLSearchParams()), options, listText);
      }),
  );
  deploy.addCommand(
    withServer(
      newCommand("list", {
        does: "the deployments, or those that fit",
        example:
          "leeway deploy list --model churn --version 3\nleeway deploy list --tag team=growth --running",
      }),
    )
      .option("--model <name>", "of this model")
      .option("--version <number>", "in which this version has some of the calls, or is the shadow")
      .option("--tag <k=v>", "with this tag, or with any value of a key; may be given again", gathered, [])
      .option("--running", "leave out those that were stopped")
      .action(async (options: ListOptions) => {
        const query = new URLSearchParams(options.tag.map((tag): [string, string] => ["tag", tag]));
        if (options.model !== undefined) query.set("model", options.model);
        if (options.version !== undefined) query.set("version", options.version);
        if (options.running) query.set("state", "running");
        print(await allDeployments(clientFor(options), query), options, listText);
      }),
  );
  deploy.addCommand(
    withServer(
      newCommand("stop", {
        does: "stop a deployment; its history stays",
        example: "leeway deploy stop churn-live",
      }),
    )
      .argument("<name>")
      .option("--why <text>", "why")
      .action(async (name: string, options: Options) => {
        const url = path`/v1/deployments/${name}` + reason(options);
        print(
          await clientFor(options).json<DeploymentStatus>({ method: "DELETE", path: url }),
          options,
          describe,
        );
      }),
  );
  return deploy;
}

async function allDeployments(client: ApiClient, query: URLSearchParams): Promise<DeploymentStatus[]> {
  const all: DeploymentStatus[] = [];
  for (;;) {
    const page = await client.json<{ deployments: DeploymentStatus[]; cursor: string | null }>({
      path: `/v1/deployments?${query}`,
    });
    all.push(...page.deployments);
    if (page.cursor === null) return all;
    query.set("cursor", page.cursor);
  }
}

function listText(all: readonly DeploymentStatus[]): string {
  return all.length === 0 ? "no deployments" : all.map(describe).join("\n");
}

function gathered(text: string, before: readonly string[]): string[] {
  return [...before, text];
}

function reason({ why }: Options): string {
  return why === undefined ? "" : `?${new URLSearchParams({ why })}`;
}

async function found(client: ApiClient, name: string): Promise<DeploymentStatus | undefined> {
  try {
    return await client.json<DeploymentStatus>({ path: path`/v1/deployments/${name}` });
  } catch (error) {
    if (error instanceof AnsweredError && error.status === 404) return undefined;
    throw error;
  }
}

/** What the command line asks for; of a deployment that is there, what it does not mention stays. */
function specOf(written: string, options: DeployOptions, before: DeploymentStatus | undefined): object {
  const [, model = "", version = "latest"] = /^([^@:]+)(?::(.+)|(?=@))?/.exec(written) ?? [];
  const reference = written.includes("@") ? written.slice(written.indexOf("@")) : version;
  const kept = (before?.spec ?? {}) as Partial<DeploymentSpec>;
  const versions = canaryOf(reference, options.canary, before);
  return {
    ...kept,
    shadow: undefined,
    model,
    versions,
    ...(options.shadow === undefined ? {} : { shadow: { version: options.shadow } }),
    ...(options.host === undefined ? {} : { host: options.host }),
    ...(options.port === undefined ? {} : { port: numberOf("--port", options.port) }),
    ...tlsOf(options, kept),
    ...(options.callerKey.length === 0 ? {} : { auth: callerKeys(kept.auth, options.callerKey) }),
    ...microBatchOf(options, kept),
    ...(options.allowModule === undefined
      ? {}
      : { module: options.allowModule === "none" ? undefined : options.allowModule }),
    ...(options.replicas === undefined ? {} : { replicas: replicasOf(options.replicas) }),
    ...scalingFlags(options, kept),
    ...(options.tag.length === 0 ? {} : { tags: tagged(kept.tags, options.tag) }),
    capture: {
      ...kept.capture,
      ...(options.capture ? {} : { enabled: false }),
      ...(options.sample === undefined ? {} : { sample: numberOf("--sample", options.sample) }),
      ...(options.batchMs === undefined ? {} : { batch_ms: numberOf("--batch-ms", options.batchMs) }),
      ...(options.recordTime === undefined ? {} : { time: options.recordTime }),
    },
  };
}

/** Files of the command line are named from where it is. */
function tlsOf({ tlsCert, tlsKey, tlsClientCa }: DeployOptions, { tls }: Partial<DeploymentSpec>): object {
  if (tlsCert === undefined && tlsKey === undefined && tlsClientCa === undefined) return {};
  return {
    tls: {
      ...tls,
      ...(tlsCert === undefined ? {} : { cert_file: resolve(tlsCert) }),
      ...(tlsKey === undefined ? {} : { key_file: resolve(tlsKey) }),
      ...(tlsClientCa === undefined ? {} : { client_ca_file: resolve(tlsClientCa) }),
    },
  };
}

function microBatchOf(
  { microBatch, microBatchMs }: DeployOptions,
  { micro_batching }: Partial<DeploymentSpec>,
): object {
  const rows = microBatch === undefined ? undefined : numberOf("--micro-batch", microBatch);
  if (rows === 0) return { micro_batching: undefined };
  if (rows === undefined && microBatchMs === undefined) return {};
  return {
    micro_batching: {
      ...micro_batching,
      ...(rows === undefined ? {} : { max_rows: rows }),
      ...(microBatchMs === undefined ? {} : { max_delay_ms: numberOf("--micro-batch-ms", microBatchMs) }),
    },
  };
}

function canaryOf(
  reference: string,
  canary: string | undefined,
  before: DeploymentStatus | undefined,
): { readonly version: string; readonly weight: number }[] {
  if (canary === undefined) return [{ version: reference, weight: 100 }];
  const weight = numberOf("--canary", canary);
  const served = before?.status.state === "stopped" ? undefined : before?.status.versions;
  const stable = served?.reduce(
    (best, each) => (each.weight > best.weight ? each : best),
    served[0] ?? { version: "", weight: 0 },
  );
  if (!stable || stable.version === "")
    throw new ServiceError(
      "invalid-input",
      "--canary: nothing is served there yet that could keep the rest of the calls",
    );
  return [
    { version: stable.version, weight: 100 - weight },
    { version: reference, weight },
  ];
}

function scalingFlags(
  { minReplicas, maxReplicas, utilisation }: DeployOptions,
  { scaling }: Partial<DeploymentSpec>,
): object {
  if ((minReplicas ?? maxReplicas ?? utilisation) === undefined) return {};
  return {
    scaling: {
      ...scaling,
      ...(minReplicas === undefined ? {} : { min: numberOf("--min-replicas", minReplicas) }),
      ...(maxReplicas === undefined ? {} : { max: numberOf("--max-replicas", maxReplicas) }),
      ...(utilisation === undefined ? {} : { utilisation: numberOf("--utilisation", utilisation) }),
    },
  };
}

function tagged(
  before: Readonly<Record<string, string>> = {},
  given: readonly string[],
): Record<string, string> {
  const tags = { ...before };
  for (const text of given) {
    const [, key, value = ""] = /^([^=]+)=(.*)$/s.exec(text) ?? [];
    if (key === undefined)
      throw new ServiceError("invalid-input", `--tag ${text}: expected KEY=VALUE, such as team=growth`);
    if (value === "") delete tags[key];
    else tags[key] = value;
  }
  return tags;
}

function replicasOf(text: string): number | "auto" {
  return text === "auto" ? "auto" : numberOf("--replicas", text);
}

function numberOf(flag: string, text: string): number {
  const value = text.trim() === "" ? Number.NaN : Number(text);
  if (Number.isFinite(value)) return value;
  throw new ServiceError("invalid-input", `${flag} ${text}: expected a number`);
}

function describe({ name, model, status }: DeploymentStatus): string {
  const head = `${name}: ${status.state}, ${status.replicas} of ${status.replicas_wanted} replicas, plan ${status.plan ?? "none"}, ${status.url}`;
  const versions = status.versions.map(
    ({ version, weight, requests, failures, p99_ms, inference }) =>
      `  ${model}:${version}  ${weight} %  ${requests} calls, ${failures} failed${p99_ms === null ? "" : `, p99 up to ${p99_ms} ms`}${inference === null ? "" : `  (${inference})`}`,
  );
  const failure =
    status.last_failure === null ? [] : [`  ${status.restarts} restarts, last: ${status.last_failure}`];
  const scaling = status.scaling ? [`  ${scalingText(status.scaling)}`] : [];
  return [head, ...versions, ...scaling, ...failure].join("\n");
}

function scalingText({ min, max, reason, last_change }: NonNullable<DeploymentStatus["status"]["scaling"]>) {
  const change = last_change
    ? `; from ${last_change.from} to ${last_change.to} at ${last_change.at}: ${last_change.reason}`
    : "";
  return `${min} to ${max} replicas by load: ${reason}${change}`;
}

function history({ plans }: DeploymentStatus): string {
  return plans
    .map(({ number, kind, created_at, outcome, versions, why, error }) => {
      const shares = versions.map(({ version, weight }) => `${version} ${weight} %`).join(", ");
      return `  plan ${number}  ${created_at}  ${kind.padEnd(18)} ${outcome.padEnd(8)} ${shares}${why ? `  ${why}` : ""}${error ? `  ${error}` : ""}`;
    })
    .join("\n");
}
