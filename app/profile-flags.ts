import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { threadCounts } from "../profiler/choose-split.ts";
import type { LoadTarget } from "../profiler/generator/messages.ts";
import type { LimiterKind } from "../profiler/limiters/limiter.ts";
import { type RowForm, readPayloads } from "../profiler/payloads.ts";
import type { Candidate, ProfileRequest } from "../profiler/profile-request.ts";
import { ServiceError } from "../schema/errors.ts";
import { latencyObjectiveText } from "../schema/profile.ts";
import type { ProfiledModel } from "./profile-model.ts";
import type { RecordedPayloads } from "./recorded-payloads.ts";

/** What says how requests look and what is good; the same for every command of the profiler. */
export interface LoadFlags {
  readonly path?: string;
  readonly method?: string;
  readonly header: readonly string[];
  readonly payloads?: string;
  readonly rows: RowForm;
  readonly expectStatus: string;
  readonly expectBody?: string;
  readonly timeout: string;
  readonly ready?: string;
  readonly readyTimeout: string;
  readonly rate: string;
  readonly slo: string;
  readonly arrivals: "poisson" | "constant";
  readonly maxRequests: string;
  readonly limiter?: LimiterKind;
  readonly seed: string;
}

export interface RunFlags extends LoadFlags {
  readonly errors: string;
  readonly json?: boolean;
  readonly quick?: boolean;
  readonly name?: string;
  readonly of?: string;
  readonly model?: string;
  readonly threads: string;
  readonly command?: string;
  readonly url?: string;
  readonly port?: string;
  readonly budget?: string;
  readonly soak?: string;
  readonly recorded?: string;
  readonly recordedLast?: string;
  readonly maxCpu?: string;
  readonly cpuHour?: string;
  readonly gibHour?: string;
  readonly html?: string;
  readonly out?: string;
  readonly save?: boolean;
  readonly server?: string;
  readonly apiKey?: string;
}

const BUDGET_SECONDS = { quick: 45, full: 240 } as const;
const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];

/** What the flags of `profile run` ask for. @throws ServiceError `invalid-input` that names the flag. */
export function profileRequestOf(
  flags: RunFlags,
  { served, recorded }: { readonly served?: ProfiledModel; readonly recorded?: RecordedPayloads } = {},
): ProfileRequest {
  // Recorded calls are rows by name, which replicas take elsewhere than tensors.
  const target = served
    ? servedTarget(flags, recorded ? { ...served, path: "/invocations" } : served)
    : targetOf(flags);
  const asked = loadOf(flags, target.path);
  const bodies = recorded
    ? { payloads: recorded.bodies, payloadSource: recorded.source }
    : flags.payloads === undefined
      ? served
      : undefined;
  const made = bodies ? madeUp(asked.load, bodies, flags.method) : undefined;
  const mode = flags.quick ? "quick" : "full";
  return {
    name: flags.name ?? (served?.name ?? flags.command ?? flags.url ?? "service").slice(0, 80),
    of: served?.of ?? versionOf(flags.of),
    threads: served?.commands[0]?.threads,
    candidate: target.candidate,
    variants: served?.commands.map(({ threads, batchSize, command }) => ({
      threads,
      batchSize,
      candidate: commandOf({ ...flags, ready: served.ready }, command),
    })),
    ...asked,
    ...made,
    errorBudget: numberFlag("--errors", flags.errors, { least: 0, most: 1 }),
    mode,
    budgetMs:
      1_000 *
      numberFlag("--budget", (flags.budget ?? String(BUDGET_SECONDS[mode])).replace(/s$/, ""), {
        least: 10,
        most: 3_600,
      }),
    soakMs: flags.soak === undefined ? 0 : durationFlag("--soak", flags.soak),
    maxCpu:
      flags.maxCpu === undefined
        ? undefined
        : numberFlag("--max-cpu", flags.maxCpu, { least: 0.1, most: 1_024 }),
    prices: pricesOf(flags),
  };
}

/** The part of a request that says how it is loaded. */
export function loadOf(
  flags: LoadFlags,
  path: string,
): Pick<
  ProfileRequest,
  "load" | "payloadSource" | "rate" | "objective" | "arrivals" | "maxRequests" | "limiter" | "seed"
> {
  const payloads =
    flags.payloads === undefined
      ? undefined
      : readPayloads(readFileSync(flags.payloads), basename(flags.payloads), flags.rows);
  const method = (flags.method ?? (payloads ? "POST" : "GET")).toUpperCase();
  if (!METHODS.includes(method)) throw wrong(`--method ${method}: expected one of ${METHODS.join(", ")}`);
  const given = headersOf(flags.header);
  const named = Object.keys(given).some((name) => name.toLowerCase() === "content-type");
  const headers = payloads && !named ? { "content-type": payloads.contentType, ...given } : given;
  const objective = latencyObjectiveText.safeParse(flags.slo);
  if (!objective.success) throw wrong(`--slo ${flags.slo}: ${objective.error.issues[0]?.message}`);
  if (!path.startsWith("/")) throw wrong(`--path ${path}: expected a path that begins with /`);
  const timeoutMs = 1_000 * numberFlag("--timeout", flags.timeout, { least: 0.1, most: 300 });
  if (timeoutMs < objective.data.latency_ms) {
    throw wrong(`--timeout ${flags.timeout}: shorter than the objective of ${objective.data.latency_ms} ms`);
  }
  return {
    load: {
      method,
      path,
      headers,
      payloads: payloads?.bodies ?? [new Uint8Array()],
      success: { statuses: statusesOf(flags.expectStatus), body: patternOf(flags.expectBody) },
      timeoutMs,
      connections: 512,
    } satisfies Omit<LoadTarget, "origin">,
    payloadSource: flags.payloads === undefined ? "none" : basename(flags.payloads),
    rate: numberFlag("--rate", flags.rate, { least: 0.1, most: 100_000 }),
    objective: objective.data,
    arrivals: flags.arrivals,
    maxRequests: numberFlag("--max-requests", flags.maxRequests, { least: 100, most: 1e9 }),
    limiter: flags.limiter,
    seed: Math.round(numberFlag("--seed", flags.seed, { least: 0, most: 2 ** 31 })),
  };
}

function servedTarget(flags: RunFlags, { commands, ready, path }: ProfiledModel) {
  return { candidate: commandOf({ ...flags, ready }, commands[0]?.command ?? ""), path: flags.path ?? path };
}

/** The model's own bodies, or recorded ones, instead of those of a file. */
function madeUp(
  load: ProfileRequest["load"],
  { payloads, payloadSource }: Pick<ProfiledModel, "payloads" | "payloadSource">,
  method = "POST",
): Pick<ProfileRequest, "load" | "payloadSource"> {
  const headers = { "content-type": "application/json", ...load.headers };
  return { load: { ...load, method: method.toUpperCase(), headers, payloads }, payloadSource };
}

/** Whether exactly one target is given. @throws ServiceError otherwise. */
export function checkTarget({ command, url, model }: Pick<RunFlags, "command" | "url" | "model">): void {
  if ([command, url, model].filter((given) => given !== undefined).length === 1) return;
  throw wrong(
    "say what to profile: --model with a registered model or an ONNX file, --command with a command that starts a service, or --url with its address",
  );
}

function targetOf(flags: RunFlags): { readonly candidate: Candidate; readonly path: string } {
  checkTarget(flags);
  if (flags.command !== undefined)
    return { candidate: commandOf(flags, flags.command), path: flags.path ?? "/" };
  return urlOf(flags.url ?? "", flags.path);
}

export function commandOf(flags: LoadFlags & { readonly port?: string }, command: string): Candidate {
  if (flags.ready !== undefined && !flags.ready.startsWith("/")) {
    throw wrong(`--ready ${flags.ready}: expected a path that begins with /`);
  }
  return {
    kind: "command",
    command,
    port: flags.port === undefined ? undefined : numberFlag("--port", flags.port, { least: 1, most: 65_535 }),
    ready: flags.ready,
    readyTimeoutMs: 1_000 * numberFlag("--ready-timeout", flags.readyTimeout, { least: 1, most: 3_600 }),
  };
}

export function urlOf(text: string, path?: string): { readonly candidate: Candidate; readonly path: string } {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw wrong(`${text} is not an address: expected something like http://127.0.0.1:8080/score`);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") throw wrong(`${text}: expected http or https`);
  if (url.username !== "" || url.password !== "") {
    throw wrong("the address holds a password: send it with --header authorization:… instead");
  }
  return { candidate: { kind: "url", origin: url.origin }, path: path ?? `${url.pathname}${url.search}` };
}

function versionOf(text: string | undefined): ProfileRequest["of"] {
  if (text === undefined) return undefined;
  const [model, version, ...more] = text.split(":");
  if (!model || !version || more.length > 0)
    throw wrong(`--of ${text}: expected a model and its version, such as churn:3`);
  return { model, version };
}

function pricesOf({ cpuHour, gibHour }: RunFlags): ProfileRequest["prices"] {
  if (cpuHour === undefined && gibHour === undefined) return undefined;
  return {
    perCpuHour: numberFlag("--cpu-hour", cpuHour ?? "0", { least: 0, most: 1e6 }),
    perGibHour: numberFlag("--gib-hour", gibHour ?? "0", { least: 0, most: 1e6 }),
  };
}

function headersOf(headers: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    headers.map((header) => {
      const [, name, value] = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+):\s*([^\r\n]*)$/.exec(header) ?? [];
      // The value may be a secret: it is not said.
      if (name === undefined || value === undefined) throw wrong("--header: expected name:value");
      return [name, value];
    }),
  );
}

/** `200-299,304` as ranges. */
function statusesOf(text: string): (readonly [number, number])[] {
  return text.split(",").map((part) => {
    const [, from, to = from] = /^\s*(\d{3})(?:-(\d{3}))?\s*$/.exec(part) ?? [];
    if (from === undefined || to === undefined)
      throw wrong(`--expect-status ${text}: expected codes such as 200-299,304`);
    return [Number(from), Number(to)] as const;
  });
}

function patternOf(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    new RegExp(text);
  } catch (error) {
    throw wrong(`--expect-body: ${error instanceof Error ? error.message : "not a regular expression"}`);
  }
  return text;
}

/** How far back recorded calls are read. */
export function recordedLastMs({ recordedLast, payloads }: RunFlags): number {
  if (payloads !== undefined) throw wrong("--recorded and --payloads: give one of them");
  return durationFlag("--recorded-last", recordedLast ?? "24h", 366 * 24 * 3_600_000);
}

const UNIT_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const LONGEST_MS = 24 * 3_600_000;

/** `90s`, `30m`, `2h` or `7d` in milliseconds. */
function durationFlag(flag: string, text: string, longestMs = LONGEST_MS): number {
  const [, count, unit] = /^(\d{1,5}(?:\.\d+)?)([smhd])$/.exec(text) ?? [];
  const ms = Number(count) * UNIT_MS[unit as keyof typeof UNIT_MS];
  if (ms >= 1_000 && ms <= longestMs) return ms;
  throw wrong(`${flag} ${text}: expected a time such as 90s, 30m or 2h, up to ${longestMs / UNIT_MS.h}h`);
}

export function numberFlag(
  flag: string,
  text: string,
  { least, most }: { readonly least: number; readonly most: number },
): number {
  const value = Number(text);
  if (text.trim() !== "" && value >= least && value <= most) return value;
  throw wrong(`${flag} ${text}: expected a number from ${least} to ${most}`);
}

function wrong(message: string): ServiceError {
  return new ServiceError("invalid-input", message);
}

const SECONDS_FOR_SWEEP = 40;
const BATCH_SIZE = 32;

/**
 * The ways to serve a model that are tried: the threads given, or 1, 2, 4 … up to the cores, and in full mode each request by
 * itself or with those of other callers in one run. With a budget too short to try any, one thread and no batches.
 */
export function splitsOf(
  { threads, budget, quick, maxCpu }: Pick<RunFlags, "threads" | "budget" | "quick" | "maxCpu">,
  cores: number,
): { readonly threads: readonly number[]; readonly batchSizes: readonly number[] } {
  const seconds = Number((budget ?? String(BUDGET_SECONDS[quick ? "quick" : "full"])).replace(/s$/, ""));
  const isShort = seconds < SECONDS_FOR_SWEEP;
  const batchSizes = quick || isShort ? [1] : [1, BATCH_SIZE];
  if (threads !== "auto") {
    return { threads: [Math.round(numberFlag("--threads", threads, { least: 1, most: 1_024 }))], batchSizes };
  }
  const most = Math.floor(Math.min(cores, Number(maxCpu ?? cores)));
  return { threads: isShort ? [1] : threadCounts(most), batchSizes };
}
