import { readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { leeway, makeFolder, type Served, serve } from "./leeway.ts";

const folder = makeFolder();
const data = join(folder.path, "data");
const roles = ["viewer", "ingest", "editor", "admin"] as const;
const keys = new Map<string, string>();
let server: Served;

beforeAll(async () => {
  for (const role of roles) {
    const { code, stdout } = await leeway([
      ...["key", "create", "--role", role, "--name", `the-${role}`, "--data-dir", data, "--json"],
    ]);
    expect(code).toBe(0);
    keys.set(role, (JSON.parse(stdout) as { key: string }).key);
  }
  server = await serve(["--data-dir", data, "--log-level", "trace"]);
});
afterAll(async () => {
  await server?.stop();
  folder.remove();
});

const CALLS = {
  "read metrics": { path: "/v1/alerts" },
  ingest: {
    method: "POST",
    path: "/v1/models/m/records",
    body: '[{"id":"a","inputs":{"x":1}}]',
  },
  change: { method: "PUT", path: "/v1/alert-rules/r", body: "{}" },
} as const;

function call(what: keyof typeof CALLS, key: string | undefined): Promise<Response> {
  const { path, ...request } = CALLS[what];
  return fetch(`${server.url}${path}`, {
    ...request,
    headers: {
      "content-type": "application/json",
      ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
    },
  });
}

describe("keys", () => {
  it.each([
    { role: "viewer", what: "read metrics", status: 200 },
    { role: "viewer", what: "ingest", status: 403 },
    { role: "viewer", what: "change", status: 403 },
    { role: "ingest", what: "read metrics", status: 403 },
    { role: "ingest", what: "ingest", status: 202 },
    { role: "ingest", what: "change", status: 403 },
    { role: "editor", what: "read metrics", status: 200 },
    { role: "editor", what: "ingest", status: 202 },
    { role: "editor", what: "change", status: 200 },
    { role: "admin", what: "change", status: 200 },
  ] as const)("let $role $what: $status", async ({ role, what, status }) => {
    const response = await call(what, keys.get(role));
    expect(response.status).toBe(status);
    if (status !== 403) return;
    const { detail } = (await response.json()) as { detail: string };
    expect(detail).toContain(`key "the-${role}" has the role ${role}: this call needs`);
  });

  it("are not asked for by who wants to know whether events may be sent", async () => {
    const asked = (path: string, headers: Record<string, string> = {}) =>
      fetch(`${server.url}${path}`, { method: "OPTIONS", headers });
    const sender = { "webhook-request-origin": "events.example.com", "webhook-request-rate": "120" };
    for (const path of ["/v1/events-in", "/v1/capture/kserve", "/v1/models/m/records"]) {
      const agreed = await asked(path, sender);
      expect(agreed.status).toBe(200);
      expect(agreed.headers.get("webhook-allowed-origin")).toBe("events.example.com");
      expect(agreed.headers.get("webhook-allowed-rate")).toBe("*");
      expect(agreed.headers.get("allow")).toContain("POST");
    }
    expect((await asked("/v1/events-in")).headers.get("webhook-allowed-origin")).toBeNull();
    expect((await asked("/v1/alerts", sender)).status).toBe(401);
  });

  it.each([
    { what: "without a key", key: undefined },
    { what: "with a key that is not known", key: "lw_a-key-that-nobody-has-made" },
    { what: "with an empty key", key: "" },
  ])("are asked for $what", async ({ key }) => {
    const response = await call("ingest", key);
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toBe('Bearer realm="leeway"');
    expect(await response.json()).toMatchObject({ code: "unauthorized" });
  });

  it.each(["/healthz", "/readyz", "/docs", "/openapi.json", "/", "/metrics"])(
    "are not needed for %s on this machine",
    async (path) => {
      expect((await fetch(`${server.url}${path}`)).status).toBe(200);
    },
  );

  it("open nothing any more when they are revoked, without a restart", async () => {
    const args = ["--data-dir", data];
    const made = await leeway(["key", "create", "--role", "viewer", "--name", "guest", "--json", ...args]);
    const { key } = JSON.parse(made.stdout) as { key: string };
    await expect.poll(async () => (await call("read metrics", key)).status).toBe(200);
    expect((await leeway(["key", "revoke", "guest", ...args])).code).toBe(0);
    await expect.poll(async () => (await call("read metrics", key)).status).toBe(401);
  });

  it("are taken by commands from the environment, and a refusal says how", async () => {
    const args = ["retrain", "status", "--url", server.url];
    const refused = await leeway(args);
    expect(refused).toMatchObject({ code: 1, stdout: "" });
    expect(refused.stderr).toContain("LEEWAY_API_KEY");
    const env = { LEEWAY_API_KEY: keys.get("viewer") ?? "" };
    expect(await leeway(args, { env })).toMatchObject({ code: 0, stdout: "no runs\n" });
  });

  it("are listed by name and role only, kept as hashes, and readable by their owner only", async () => {
    const { stdout } = await leeway(["key", "list", "--data-dir", data]);
    expect(stdout).toMatch(/^the-editor {2}editor {2}20/m);
    const file = join(data, "keys.ndjson");
    expect(statSync(file).mode & 0o777).toBe(0o600);
    for (const secret of keys.values()) {
      expect(stdout).not.toContain(secret);
      expect(readFileSync(file, "utf8")).not.toContain(secret);
    }
  });

  it("never stand in the log, however much is logged", () => {
    expect(server.output()).toContain('"path":"/v1/alert-rules/r"');
    for (const secret of keys.values()) expect(server.output()).not.toContain(secret);
    expect(server.output()).not.toContain("lw_");
  });

  it("let a server listen to other machines", async () => {
    const wide = await serve(["--host", "0.0.0.0", "--data-dir", join(folder.path, "wide")], {
      env: { LEEWAY_API_KEYS: "[{name: ops, role: admin, key: a-long-enough-key-for-tests}]" },
    });
    const { port } = new URL(wide.url);
    expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(401);
    const headers = { authorization: "Bearer a-long-enough-key-for-tests" };
    expect((await fetch(`http://127.0.0.1:${port}/metrics`, { headers })).status).toBe(200);
    expect(await wide.stop()).toBe(0);
    expect(wide.output()).not.toContain("a-long-enough-key");
  });

  it("are refused with a role that is none, with the one that was meant", async () => {
    const { code, stderr } = await leeway(["key", "create", "--role", "edtior", "--data-dir", data]);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: 'leeway: "edtior" is not a role: did you mean editor?\n',
    });
  });
});

describe("a server without keys", () => {
  it("answers programs of this machine, but not pages of other sites", async () => {
    const open = await serve(["--data-dir", join(folder.path, "open")]);
    const rule = (headers: Record<string, string>) =>
      fetch(`${open.url}/v1/alert-rules/r`, {
        method: "PUT",
        body: "{}",
        headers: { "content-type": "application/json", ...headers },
      });
    expect((await rule({})).status).toBe(200);
    expect((await rule({ origin: "https://elsewhere.example" })).status).toBe(403);
    expect((await rule({ origin: open.url })).status).toBe(200);
    expect(await open.stop()).toBe(0);
  });
});
