import { readFileSync } from "node:fs";
import { isMap, isNode, isPair, isScalar, LineCounter, type ParsedNode, parseDocument } from "yaml";
import type { InputIssue } from "../schema/errors.ts";
import { type ConfigKey, configKeys, isTextKey, variableOf } from "./config-schema.ts";
import { didYouMean } from "./did-you-mean.ts";

/** Variables that are no configuration keys but read elsewhere. */
const OTHER_VARIABLES: ReadonlySet<string> = new Set(["LEEWAY_CONFIG", "LEEWAY_URL", "LEEWAY_API_KEY"]);

/** Settings from one place, and how that place names each of them. */
export interface ConfigSource {
  readonly settings: Readonly<Record<string, unknown>>;
  /** `leeway.yaml:3:1` (line and column), `LEEWAY_PORT` or `--port`. */
  readonly placeOf: (path: readonly PropertyKey[]) => string;
  readonly problems: readonly InputIssue[];
  readonly warnings: readonly string[];
}

/** The settings of a YAML file. */
export function fileSource(path: string): ConfigSource {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    return failed(path, `cannot be read: ${(error as Error).message}`);
  }
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const [error] = document.errors;
  if (error) {
    return failed(placeIn(path, lines, error.pos[0]), `is not valid YAML: ${error.message}`);
  }
  const settings: unknown = document.toJS() ?? {};
  if (typeof settings !== "object" || settings === null || Array.isArray(settings)) {
    return failed(path, "holds no settings: expected lines such as `port: 8420`");
  }
  return {
    settings: { ...settings },
    placeOf: (keys) => {
      const offset = offsetOf(document.contents, keys);
      return offset === undefined ? path : placeIn(path, lines, offset);
    },
    problems: [],
    warnings: [],
  };
}

function placeIn(path: string, lines: LineCounter, offset: number): string {
  const { line, col } = lines.linePos(offset);
  return `${path}:${line}:${col}`;
}

function failed(place: string, message: string): ConfigSource {
  return { settings: {}, placeOf: () => place, problems: [{ path: place, message }], warnings: [] };
}

/** Where the deepest node on the way to `keys` begins. */
function offsetOf(contents: ParsedNode | null, keys: readonly PropertyKey[]): number | undefined {
  let node: unknown = contents;
  let offset: number | undefined;
  for (const key of keys) {
    const pair = isMap(node)
      ? node.items.find((item) => isScalar(item.key) && String(item.key.value) === String(key))
      : undefined;
    const next: unknown = pair ?? (isNode(node) && "get" in node ? node.get(key, true) : undefined);
    if (isPair(next)) {
      offset = isNode(next.key) ? (next.key.range?.[0] ?? offset) : offset;
      node = next.value;
    } else if (isNode(next)) {
      offset = next.range?.[0] ?? offset;
      node = next;
    } else break;
  }
  return offset;
}

/** The settings of the environment: `LEEWAY_PORT`, or `LEEWAY_PORT_FILE` with the path of a file that holds the value. */
export function environmentSource(env: Readonly<Record<string, string | undefined>>): ConfigSource {
  const settings: Record<string, unknown> = {};
  const places = new Map<PropertyKey, string>();
  const problems: InputIssue[] = [];
  for (const key of configKeys) {
    const variable = variableOf(key);
    const direct = env[variable];
    const file = env[`${variable}_FILE`];
    if (direct !== undefined && file !== undefined) {
      problems.push({ path: variable, message: `is set and so is ${variable}_FILE: keep one of them` });
      continue;
    }
    try {
      if (file !== undefined) {
        places.set(key, `${variable}_FILE (${file})`);
        settings[key] = settingOf(key, readSecret(file));
      } else if (direct !== undefined) {
        places.set(key, variable);
        settings[key] = settingOf(key, direct);
      }
    } catch (error) {
      problems.push({ path: places.get(key) ?? variable, message: (error as Error).message });
    }
  }
  if (/^tcp:\/\//.test(env[variableOf("port")] ?? "")) {
    delete settings.port;
    problems.push({
      path: "LEEWAY_PORT",
      message:
        "was set by Kubernetes for a service named leeway: set enableServiceLinks: false in the pod, or rename the service",
    });
  }
  return {
    settings,
    placeOf: ([key]) => places.get(key ?? "") ?? "environment",
    ...unknownVariables(env, problems),
  };
}

function unknownVariables(
  env: Readonly<Record<string, string | undefined>>,
  problems: readonly InputIssue[],
): Pick<ConfigSource, "problems" | "warnings"> {
  const known = [...configKeys.map(variableOf), ...OTHER_VARIABLES];
  const found: InputIssue[] = [...problems];
  const warnings: string[] = [];
  for (const name of Object.keys(env)) {
    const base = name.replace(/_FILE$/, "");
    if (!name.startsWith("LEEWAY_") || known.includes(name) || known.includes(base)) continue;
    // Platforms set variables of their own (LEEWAY_SERVICE_HOST): only what looks like a slip is an error.
    const meant = didYouMean(
      base.slice("LEEWAY_".length),
      known.map((variable) => variable.slice("LEEWAY_".length)),
    );
    if (meant) found.push({ path: name, message: `is not a known variable: did you mean LEEWAY_${meant}?` });
    else warnings.push(`${name} is not a known variable and is ignored`);
  }
  return { problems: found, warnings };
}

function readSecret(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch (error) {
    throw new RangeError(`cannot be read: ${(error as Error).message}`);
  }
}

/** The settings of the command line: each option that was given, as text, or `true` for a switch. */
export function flagSource(flags: Readonly<Partial<Record<ConfigKey, string | boolean>>>): ConfigSource {
  const settings: Record<string, unknown> = {};
  const problems: InputIssue[] = [];
  for (const [key, value] of Object.entries(flags) as [ConfigKey, string | boolean | undefined][]) {
    if (value === undefined) continue;
    try {
      settings[key] = typeof value === "string" ? settingOf(key, value) : value;
    } catch (error) {
      problems.push({ path: flagOf(key), message: (error as Error).message });
    }
  }
  return { settings, placeOf: ([key]) => flagOf(String(key)), problems, warnings: [] };
}

function flagOf(key: string): string {
  return `--${key.replaceAll("_", "-")}`;
}

function settingOf(key: ConfigKey, text: string): unknown {
  if (isTextKey(key)) return text;
  const document = parseDocument(text, { prettyErrors: false });
  const [error] = document.errors;
  if (error) throw new RangeError(`is not valid YAML: ${error.message}`); // the message does not quote the text
  return document.toJS();
}
