import type { ScoringProtocol } from "./counts.ts";

/** What a path of a replica asks for. */
export type Asked =
  | {
      readonly what: "score";
      readonly protocol: ScoringProtocol;
      readonly model?: string;
      readonly version?: string;
      readonly label?: string;
    }
  | {
      readonly what: "model" | "model-ready" | "model-stats" | "serving-status";
      readonly model: string;
      readonly version?: string;
      readonly label?: string;
    }
  | {
      readonly what:
        | "live"
        | "ready"
        | "server"
        | "models"
        | "all-stats"
        | "repository"
        | "repository-change"
        | "mlflow-version"
        | "metrics";
    };

const FIXED: Readonly<Record<string, Asked>> = {
  "POST /invocations": { what: "score", protocol: "mlflow" },
  "GET /ping": { what: "ready" },
  "GET /health": { what: "ready" },
  "GET /version": { what: "mlflow-version" },
  "GET /healthz": { what: "live" },
  "GET /readyz": { what: "ready" },
  "GET /metrics": { what: "metrics" },
  "GET /v2": { what: "server" },
  "GET /v2/": { what: "server" },
  "GET /v2/health/live": { what: "live" },
  "GET /v2/health/ready": { what: "ready" },
  "GET /v2/models": { what: "models" },
  "GET /v1/models": { what: "models" },
  "GET /v2/models/stats": { what: "all-stats" },
  "POST /v2/repository/index": { what: "repository" },
};

const V2 = /^\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?(?:\/(ready|infer|stats))?$/;
const V1 = /^\/v1\/models\/([^/:]+)(?:\/versions\/([^/:]+)|\/labels\/([^/:]+))?(:predict)?$/;
const REPOSITORY = /^\/v2\/repository\/models\/[^/]+\/(?:load|unload)$/;

/** Paths that were read before: there are few, and a request has no time to lose. */
const known = new Map<string, Asked | undefined>(Object.entries(FIXED));
const MOST_KNOWN = 1_000;

/** What a request asks for; undefined when there is nothing at that path by that method. */
export function readPath(method: string, url: string): Asked | undefined {
  const end = url.indexOf("?");
  const path = end === -1 ? url : url.slice(0, end);
  const key = `${method === "HEAD" ? "GET" : method} ${path}`;
  const found = known.get(key);
  if (found || known.has(key)) return found;
  const read = matched(key.slice(0, key.indexOf(" ")), path);
  if (known.size < MOST_KNOWN) known.set(key, read);
  return read;
}

function matched(method: string, path: string): Asked | undefined {
  if (method === "POST" && REPOSITORY.test(path)) return { what: "repository-change" };
  const [v2, model, version, verb] = V2.exec(path) ?? [];
  if (v2 !== undefined && model !== undefined) {
    const of = named(model, version);
    if (verb === "infer") return method === "POST" ? { what: "score", protocol: "v2", ...of } : undefined;
    if (method !== "GET") return undefined;
    return { what: verb === "ready" ? "model-ready" : verb === "stats" ? "model-stats" : "model", ...of };
  }
  const [v1, served, servedVersion, label, predict] = V1.exec(path) ?? [];
  if (v1 === undefined || served === undefined) return undefined;
  const of = { ...named(served, servedVersion), ...(label === undefined ? {} : { label: decoded(label) }) };
  if (predict) return method === "POST" ? { what: "score", protocol: "v1", ...of } : undefined;
  return method === "GET" ? { what: "serving-status", ...of } : undefined;
}

function named(
  model: string,
  version: string | undefined,
): { readonly model: string; readonly version?: string } {
  return { model: decoded(model), ...(version === undefined ? {} : { version: decoded(version) }) };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
