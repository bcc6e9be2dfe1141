import { existsSync } from "node:fs";
import { z } from "zod";
import { type InputIssue, ServiceError } from "../schema/errors.ts";
import { type Config, type ConfigKey, configSchema, conflicts } from "./config-schema.ts";
import { type ConfigSource, environmentSource, fileSource, flagSource } from "./config-source.ts";
import { didYouMean } from "./did-you-mean.ts";
import { showWrongValue } from "./mask.ts";

/** Where settings may come from; a flag wins over a variable, a variable over the file. */
export interface ConfigInput {
  /** The file; `./leeway.yaml` when absent and there. */
  readonly file?: string | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly flags?: Readonly<Partial<Record<ConfigKey, string | boolean>>>;
}

export interface EffectiveConfig {
  readonly config: Config;
  /** Where each key that is not a default was set. */
  readonly places: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

const DEFAULT_FILE = "leeway.yaml";

/**
 * The configuration of this run.
 * @throws ServiceError `invalid-config` with every problem: its place and key, the value (masked), and what was expected.
 */
export function readConfig({ file, env, flags = {} }: ConfigInput): EffectiveConfig {
  const path = file ?? env.LEEWAY_CONFIG ?? (existsSync(DEFAULT_FILE) ? DEFAULT_FILE : undefined);
  const sources = [
    ...(path === undefined ? [] : [fileSource(path)]),
    environmentSource(env),
    flagSource(flags),
  ];
  const settings: Record<string, unknown> = {};
  const origin = new Map<PropertyKey, ConfigSource>();
  for (const source of sources) {
    for (const [key, value] of Object.entries(source.settings)) {
      settings[key] = value;
      origin.set(key, source);
    }
  }
  const problems = sources.flatMap((source) => source.problems);
  const parsed = configSchema.safeParse(settings);
  const conflicting = parsed.success ? conflicts(parsed.data) : [];
  if (parsed.success && problems.length + conflicting.length === 0) {
    return {
      config: parsed.data,
      places: Object.fromEntries([...origin].map(([key, source]) => [String(key), source.placeOf([key])])),
      warnings: sources.flatMap((source) => source.warnings),
    };
  }
  const issues = [
    ...problems,
    ...conflicting.map(({ path: keys, message }) => ({
      path: origin.get(keys[0] ?? "")?.placeOf(keys) ?? "configuration",
      message: `${dotted(keys)} ${message}`,
    })),
    ...(parsed.error?.issues ?? []).flatMap((issue) => describe(issue, settings, origin)),
  ];
  throw new ServiceError(
    "invalid-config",
    `the configuration is wrong in ${issues.length === 1 ? "one place" : `${issues.length} places`}`,
    { issues },
  );
}

/** One zod issue as sentences of the form `place: key: value: expected …`. */
function describe(
  issue: z.core.$ZodIssue,
  settings: unknown,
  origin: ReadonlyMap<PropertyKey, ConfigSource>,
  parents: readonly PropertyKey[] = [],
): InputIssue[] {
  const path = [...parents, ...issue.path];
  const placeOf = (keys: readonly PropertyKey[]) => {
    const [first = ""] = keys;
    return origin.get(first)?.placeOf(keys) ?? "configuration";
  };
  if (issue.code === "unrecognized_keys") {
    const known = keysAt(configSchema, path);
    return issue.keys.map((key) => {
      const meant = didYouMean(key, known);
      const hint = meant ? `did you mean ${meant}?` : `known are ${known.join(", ")}`;
      return {
        path: placeOf([...path, key]),
        message: `${dotted([...path, key])} is not a known key: ${hint}`,
      };
    });
  }
  if (issue.code === "invalid_union" && issue.errors.length > 0) {
    // The alternative that fits best is the one with the fewest complaints.
    const best = [...issue.errors].sort((a, b) => a.length - b.length)[0] ?? [];
    return best.flatMap((inner) => describe(inner, settings, origin, path));
  }
  const value = showWrongValue(valueAt(settings, path), path);
  return [{ path: placeOf(path), message: `${dotted(path)} is ${value}: ${expectation(issue)}` }];
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === "invalid_type")
    return `expected ${issue.expected === "int" ? "a whole number" : issue.expected}`;
  if (issue.code === "invalid_value") return `expected one of ${issue.values.map(String).join(", ")}`;
  if (issue.code === "invalid_union")
    return "options" in issue
      ? `expected one of ${[issue.options].flat().join(", ")}`
      : "expected another form";
  if (issue.code === "too_small") return `expected at least ${issue.minimum}${lengthUnit(issue.origin)}`;
  if (issue.code === "too_big") return `expected at most ${issue.maximum}${lengthUnit(issue.origin)}`;
  return issue.message.replace(/^Invalid input: /, "");
}

function lengthUnit(origin: string): string {
  return origin === "string" ? " characters" : origin === "array" ? " entries" : "";
}

function dotted(path: readonly PropertyKey[]): string {
  return path
    .map((key, i) => (typeof key === "number" ? `[${key}]` : `${i > 0 ? "." : ""}${String(key)}`))
    .join("");
}

function valueAt(settings: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (value, key) =>
      value !== null && typeof value === "object" ? (value as Record<PropertyKey, unknown>)[key] : undefined,
    settings,
  );
}

/** The keys that the schema knows at a path. */
function keysAt(schema: unknown, path: readonly PropertyKey[]): string[] {
  const inner = unwrap(schema);
  if (inner instanceof z.ZodUnion) {
    return [...new Set(inner.options.flatMap((option) => keysAt(option, path)))];
  }
  const [key, ...rest] = path;
  if (inner instanceof z.ZodObject) {
    return key === undefined ? Object.keys(inner.shape) : keysAt(inner.shape[String(key)], rest);
  }
  if (inner instanceof z.ZodArray) return keysAt(inner.element, rest);
  if (inner instanceof z.ZodRecord) return keysAt(inner.valueType, rest);
  return [];
}

function unwrap(schema: unknown): unknown {
  return schema instanceof z.ZodDefault || schema instanceof z.ZodOptional ? unwrap(schema.unwrap()) : schema;
}
