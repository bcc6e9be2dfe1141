import type { Role } from "./config-schema.ts";

/** What a call does, as far as leave is concerned. */
export type Permission =
  | "open"
  | "metrics"
  | "run-status"
  | "read"
  | "ingest"
  | "change"
  | "approve"
  | "administer";

/** What each role may do. */
export const MAY: Readonly<Record<Role, ReadonlySet<Permission>>> = {
  viewer: new Set(["read", "metrics"]),
  ingest: new Set(["ingest"]),
  editor: new Set(["read", "metrics", "ingest", "change", "run-status"]),
  approver: new Set(["read", "metrics", "ingest", "change", "run-status", "approve"]),
  admin: new Set(["read", "metrics", "ingest", "change", "run-status", "approve", "administer"]),
};

/** The least of the roles that may do it, to be named in a refusal. */
export const LEAST_ROLE: Readonly<Record<Permission, Role>> = {
  open: "viewer",
  metrics: "viewer",
  read: "viewer",
  ingest: "ingest",
  "run-status": "editor",
  change: "editor",
  approve: "approver",
  administer: "admin",
};

/** Which leave a call needs; the first line that fits counts. A `*` stands for one segment, `**` for any number. */
const CALLS: readonly (readonly [method: string, path: string, permission: Permission])[] = [
  ["GET", "/healthz", "open"],
  ["GET", "/readyz", "open"],
  // What the calls are is no secret, and a browser that is to show it has no key.
  ["GET", "/", "open"],
  ["GET", "/docs", "open"],
  ["GET", "/openapi.json", "open"],
  ["GET", "/metrics", "metrics"],
  ["ANY", "/v1/keys/**", "administer"],
  ["POST", "/v1/models/*/records", "ingest"],
  ["POST", "/v1/models/*/labels", "ingest"],
  ["POST", "/v1/capture/**", "ingest"],
  ["POST", "/v1/events-in", "ingest"],
  // Whoever asks whether events may be sent has no key yet, and learns nothing but that they may.
  ["OPTIONS", "/v1/capture/*", "open"],
  ["OPTIONS", "/v1/events-in", "open"],
  ["OPTIONS", "/v1/models/*/records", "open"],
  ["OPTIONS", "/v1/models/*/labels", "open"],
  ["POST", "/v1/query", "read"],
  ["POST", "/api/2.0/mlflow/registered-models/get-latest-versions", "read"],
  ["POST", "/v1/models/*/exports", "read"],
  // Whoever may fetch a version may work with it, and say so.
  ["PUT", "/v1/models/*/versions/*/jobs/*", "read"],
  ["DELETE", "/v1/models/*/versions/*/jobs/*", "read"],
  ["POST", "/v1/retrain-runs/*/status", "run-status"],
  ["POST", "/v1/retrain-runs/*/approve", "approve"],
  ["POST", "/v1/retrain-runs/*/reject", "approve"],
  ["GET", "/**", "read"],
  ["ANY", "/**", "change"],
];

const RULES = CALLS.map(([method, path, permission]) => ({
  method,
  pattern: new RegExp(`^${path.replaceAll(/\/\*\*|\*/g, (star) => (star === "*" ? "[^/]+" : "(?:/.*)?"))}$`),
  permission,
}));

/** Which leave this call needs. */
export function permissionFor(method: string, path: string): Permission {
  const asked = method === "HEAD" ? "GET" : method;
  const rule = RULES.find((r) => (r.method === "ANY" || r.method === asked) && r.pattern.test(path));
  return rule?.permission ?? "administer";
}
