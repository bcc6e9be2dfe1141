import { existsSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import type { CompareRequest, Contender } from "../profiler/compare-candidates.ts";
import { ServiceError } from "../schema/errors.ts";
import { profile } from "../schema/profile.ts";
import { commandOf, type LoadFlags, loadOf, numberFlag, urlOf } from "./profile-flags.ts";

export interface CompareFlags extends LoadFlags {
  readonly json?: boolean;
  readonly cpu?: string;
  readonly memory?: string;
  readonly pairs: string;
  readonly window: string;
  readonly out?: string;
}

/** What the arguments of `profile compare` ask for. @throws ServiceError `invalid-input` that names the offender. */
export function compareRequestOf(a: string, b: string, flags: CompareFlags): CompareRequest {
  const { load: _load, payloadSource: _source, ...asked } = loadOf(flags, flags.path ?? "/");
  return {
    ...asked,
    a: contenderOf(a, flags),
    b: contenderOf(b, flags),
    pairs: Math.round(numberFlag("--pairs", flags.pairs, { least: 3, most: 1_000 })),
    windowMs: 1_000 * numberFlag("--window", flags.window, { least: 0.5, most: 600 }),
    limits: {
      cpu: flags.cpu === undefined ? undefined : numberFlag("--cpu", flags.cpu, { least: 0.05, most: 1_024 }),
      memoryBytes:
        flags.memory === undefined
          ? undefined
          : 1024 * 1024 * numberFlag("--memory", flags.memory, { least: 4, most: 1e7 }),
    },
  };
}

function contenderOf(text: string, flags: CompareFlags): Contender {
  if (/^https?:\/\//.test(text)) {
    const { candidate, path } = urlOf(text, flags.path);
    return { name: text, candidate, load: loadOf(flags, path).load };
  }
  if (text.endsWith(".json") && existsSync(text)) return ofProfile(text, flags);
  return { name: text, candidate: commandOf(flags, text), load: loadOf(flags, flags.path ?? "/").load };
}

/** What a profile profiled, to be run again. Bodies are not kept in profiles: they come from --payloads. */
function ofProfile(file: string, flags: CompareFlags): Contender {
  const read = profile.safeParse(JSON.parse(readFileSync(file, "utf8")));
  if (!read.success) {
    throw new ServiceError("invalid-input", `${file} is not a profile that leeway profile run --out wrote`);
  }
  const { target } = read.data;
  if (target.payloads.source !== "none" && flags.payloads === undefined) {
    throw new ServiceError(
      "invalid-input",
      `${file} was made with the bodies of ${target.payloads.source}: give them with --payloads`,
    );
  }
  const { load } = loadOf({ ...flags, method: flags.method ?? target.method }, flags.path ?? target.path);
  const name = basename(file);
  if (target.url !== undefined) return { name, candidate: { kind: "url", origin: target.url }, load };
  const { port, ready } = target;
  const same = { ...flags, ...(ready === undefined ? {} : { ready }) };
  const candidate = commandOf(
    port === undefined ? same : { ...same, port: String(port) },
    target.command ?? "",
  );
  return { name, candidate, load };
}
