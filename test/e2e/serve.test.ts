import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { leeway, makeFolder, type Served, serve } from "./leeway.ts";

const folder = makeFolder();
let server: Served;
beforeAll(async () => {
  server = await serve(["--data-dir", join(folder.path, "data")]);
});
afterAll(async () => {
  await server?.stop();
  folder.remove();
});

interface Document {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
}
interface Operation {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> };
  readonly responses: Readonly<Record<string, { readonly description?: string }>>;
}

async function readDocument(): Promise<Document> {
  return (await (await fetch(`${server.url}/openapi.json`)).json()) as Document;
}

describe("leeway serve", () => {
  it.each([
    ["/healthz", "application/json", /"alive"/],
    ["/readyz", "application/json", /"ready"/],
    ["/metrics", "text/plain", /^leeway_build_info\{version="\d/m],
    ["/openapi.json", "application/json", /"openapi":"3\.1\.0"/],
    ["/docs", "text/html", /<h1>Leeway API/],
    ["/", "text/html", /<h1>Leeway/],
  ])("answers %s", async (path, type, says) => {
    const response = await fetch(`${server.url}${path}`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toContain(type);
    expect(await response.text()).toMatch(says);
  });

  it("describes each call with a summary, a tag, its path parameters and its answers", async () => {
    const document = await readDocument();
    expect(document.openapi).toBe("3.1.0");
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const where = `${method} ${path}`;
        expect(operation.summary, where).toBeTruthy();
        expect(operation.tags, where).toHaveLength(1);
        const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
        const described = (operation.parameters ?? []).filter((one) => one.in === "path");
        expect(described.map(({ name }) => name).sort(), where).toEqual(inPath.sort());
        for (const response of Object.values(operation.responses)) {
          expect(response.description, where).toBeTruthy();
        }
      }
    }
  });

  it("refers in its description only to what is there", async () => {
    const document = await readDocument();
    const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)];
    expect(references.length).toBeGreaterThan(20);
    for (const [, name = ""] of references) expect(Object.keys(document.components.schemas)).toContain(name);
  });

  it("answers every call that it describes, and shows each on the page", async () => {
    const document = await readDocument();
    const page = (await (await fetch(`${server.url}/docs`)).text()).replaceAll("<wbr>", "");
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, { requestBody }] of Object.entries(operations)) {
        const response = await fetch(`${server.url}${path.replaceAll(/\{\w+\}/g, "nobody")}`, {
          method: method.toUpperCase(),
          ...(requestBody
            ? { body: "?", headers: { "content-type": Object.keys(requestBody.content)[0] ?? "" } }
            : {}),
        });
        const text = await response.text();
        expect(text, `${method} ${path}`).not.toContain("there is nothing at");
        expect([405, 500, 501], `${method} ${path}: ${text}`).not.toContain(response.status);
        expect(page).toContain(path);
      }
    }
  });

  it.each([
    { what: "a path that is not there", path: "/v1/nothing", status: 404, code: "not-found" },
    {
      what: "a method that a path does not take",
      method: "PATCH",
      path: "/v1/alerts",
      status: 405,
      code: "method-not-allowed",
    },
    {
      what: "the same of a health check",
      method: "POST",
      path: "/healthz",
      status: 405,
      code: "method-not-allowed",
    },
    {
      what: "a body that is not JSON",
      method: "PUT",
      path: "/v1/alert-rules/r",
      body: "{",
      status: 400,
      code: "invalid-input",
    },
    {
      what: "a key that is not known",
      method: "PUT",
      path: "/v1/alert-rules/r",
      body: '{"on":"drift","wondow":1}',
      status: 400,
      code: "invalid-input",
    },
    { what: "a name that is none", path: "/v1/alert-rules/%20", status: 400, code: "invalid-input" },
    {
      what: "a body of another type",
      method: "PUT",
      path: "/v1/alert-rules/r",
      body: "on: drift",
      type: "application/yaml",
      status: 415,
      code: "unsupported-media-type",
    },
    {
      what: "records of another type",
      method: "POST",
      path: "/v1/models/m/records",
      body: "x",
      type: "image/png",
      status: 415,
      code: "unsupported-media-type",
    },
    {
      what: "settings that are too long",
      method: "PUT",
      path: "/v1/alert-rules/r",
      body: JSON.stringify({ owner: "x".repeat(2 ** 20) }),
      status: 413,
      code: "too-large",
    },
    {
      what: "records that are too long",
      method: "POST",
      path: "/v1/models/m/records",
      body: " ".repeat(2 ** 25 + 1),
      status: 413,
      code: "too-large",
    },
    {
      what: "a monitor that is not there",
      path: "/v1/models/m/monitors/daily",
      status: 404,
      code: "not-found",
    },
  ])(
    "says what is wrong with $what",
    async ({ method = "GET", path, body, type = "application/json", status, code }) => {
      const response = await fetch(`${server.url}${path}`, {
        method,
        ...(body === undefined ? {} : { body, headers: { "content-type": type } }),
      });
      expect(response.headers.get("content-type")).toBe("application/problem+json");
      const problem = await response.json();
      expect(problem).toMatchObject({ status, code, type: "about:blank" });
      expect(problem).toMatchObject({ request_id: response.headers.get("x-request-id") });
      expect((problem as { detail: string }).detail.length).toBeGreaterThan(10);
      expect(response.status).toBe(status);
    },
    20_000, // a refused body that is not heard out as it comes takes longer
  );

  it.each(["of a length that is told", "in chunks"])(
    "is heard by a client that sends far too much %s",
    async (how) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const body = Buffer.alloc(40 * 2 ** 20, " ");
      const sockets = new Set<unknown>();
      for (let call = 0; call < 3; call++) {
        const sent = request(`${server.url}/v1/models/m/records`, {
          agent,
          method: "POST",
          headers: {
            "content-type": "application/json",
            ...(how === "in chunks" ? {} : { "content-length": body.length }),
          },
        });
        for (let at = 0; at < body.length; at += 2 ** 20) sent.write(body.subarray(at, at + 2 ** 20));
        sent.end();
        const [answer] = (await once(sent, "response")) as [IncomingMessage];
        expect(answer.statusCode).toBe(413);
        expect(answer.headers.connection).toBe("keep-alive");
        sockets.add(answer.socket);
        answer.resume();
        await once(answer, "end");
      }
      expect(sockets.size).toBe(1);
      agent.destroy();
    },
  );

  it("names the methods that a path takes", async () => {
    const response = await fetch(`${server.url}/v1/alert-rules/r`, { method: "POST", body: "{}" });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("GET, PUT, DELETE");
  });

  it("does not let a second one onto its data", async () => {
    const { code, stderr } = await leeway(["serve", "--port", "0", "--data-dir", join(folder.path, "data")]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^leeway: .*data.* (is in use|is used|in use by|locked)/);
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  });

  it("says that a port is taken", async () => {
    const { port } = new URL(server.url);
    const { code, stderr } = await leeway([
      "serve",
      "--port",
      port,
      "--data-dir",
      join(folder.path, "other"),
    ]);
    expect(code).toBe(1);
    expect(stderr).toContain(`leeway: port ${port} of 127.0.0.1 is taken`);
    expect(stderr).toContain("--port");
  });

  it("says that a folder cannot be made", async () => {
    const { code, stderr } = await leeway(["serve", "--port", "0", "--data-dir", "/dev/null/data"]);
    expect(code).toBe(1);
    expect(stderr).toContain("/dev/null/data");
  });

  it("does not listen to other machines without a key", async () => {
    const { code, stderr } = await leeway([
      "serve",
      "--host",
      "0.0.0.0",
      "--port",
      "0",
      "--data-dir",
      join(folder.path, "wide"),
    ]);
    expect(code).toBe(2);
    expect(stderr).toContain("host 0.0.0.0 can be reached from other machines");
    expect(stderr).toContain("leeway key create");
  });
});

describe("a service that is told to stop", () => {
  it("loses nothing that it acknowledged, and ends well", async () => {
    const data = join(folder.path, "drained");
    const first = await serve(["--data-dir", data]);
    let acknowledged = 0;
    let refused = 0;
    let told: () => void = () => undefined;
    const enough = new Promise<void>((resolve) => {
      told = resolve;
    });
    const send = async (sender: number) => {
      for (let i = 0; refused === 0 && i < 10_000; i++) {
        const lines = Array.from({ length: 50 }, (_, row) =>
          JSON.stringify({ id: `${sender}-${i}`, row, time: "2026-01-01T00:00:00Z", inputs: { x: row } }),
        );
        try {
          const response = await fetch(`${first.url}/v1/models/m/records`, {
            method: "POST",
            headers: { "content-type": "application/x-ndjson" },
            body: lines.join("\n"),
          });
          if (response.status === 202) acknowledged += ((await response.json()) as { stored: number }).stored;
          else refused += 1;
        } catch {
          refused += 1; // it has stopped listening
        }
        if (acknowledged > 2_000) told();
      }
    };
    const senders = [1, 2, 3, 4].map(send);
    await enough;
    expect(await first.stop()).toBe(0);
    await Promise.all(senders);
    expect(first.output()).toMatch(/"signal":"SIGTERM".*\n(.*\n)*.*"msg":"stopped"/);

    const again = await serve(["--data-dir", data]);
    const query = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z";
    const response = await fetch(`${again.url}/v1/models/m/records?${query}`);
    await response.arrayBuffer();
    // One batch of a sender may be stored whose answer did not arrive any more.
    const stored = Number(response.headers.get("x-leeway-rows"));
    expect(stored).toBeGreaterThanOrEqual(acknowledged);
    expect(stored).toBeLessThanOrEqual(acknowledged + 4 * 50);
    expect(await again.stop()).toBe(0);
  });
});
