import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { leeway, makeFolder, serve } from "./leeway.ts";

const folder = makeFolder();
afterAll(() => folder.remove());

function write(name: string, text: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return path;
}

describe("a wrong leeway.yaml", () => {
  it.each([
    {
      what: "a slip in a key",
      yaml: "host: 127.0.0.1\nprot: 9000\n",
      says: ":2:1: prot is not a known key: did you mean port?",
    },
    {
      what: "a slip deep down",
      yaml: "monitors:\n  - model: m\n    name: daily\n    windw: 1d\n",
      says: ":4:5: monitors[0].windw is not a known key: did you mean window?",
    },
    {
      what: "a value of the wrong kind",
      yaml: "port: often\n",
      says: ':1:1: port is "often": expected number',
    },
    {
      what: "a value out of bounds",
      yaml: "\nport: 70000\n",
      says: ":2:1: port is 70000: expected at most 65535",
    },
    {
      what: "a word that is none of the choices",
      yaml: "log_level: loud\n",
      says: 'log_level is "loud": expected one of trace, debug',
    },
    { what: "broken YAML", yaml: "host: a\n  port: [1\n", says: "is not valid YAML" },
    { what: "no settings at all", yaml: "- a\n", says: "holds no settings" },
    {
      what: "a channel of no kind",
      yaml: "channels:\n  team: {type: pigeon}\n",
      says: ':2:10: channels.team.type is "pigeon": expected one of email, webhook',
    },
    {
      what: "a policy that cannot be",
      yaml: "retrain_policies:\n  p:\n    model: m\n    monitor: d\n    windows: 5\n    target: {type: webhook, url: 'https://x.example'}\n",
      says: ":5:5: retrain_policies.p.windows is 5: cannot be more than of_last",
    },
  ])("is refused for $what", async ({ yaml, says }) => {
    const path = write("wrong.yaml", yaml);
    const { code, stdout, stderr } = await leeway(["config", "check", "--config", path]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("leeway: the configuration is wrong in one place\n");
    expect(stderr).toContain(path);
    expect(stderr).toContain(says);
  });

  it("tells of every place at once, and no secret that stands there", async () => {
    const path = write(
      "secret.yaml",
      "port: -1\nsmtp_url: 'http://bob:hunter2@mail'\napi_keys:\n  - {name: a, role: admin, key: hunter2}\n",
    );
    const { code, stderr } = await leeway(["serve", "--config", path]);
    expect(code).toBe(2);
    expect(stderr).toContain("wrong in 3 places");
    expect(stderr).not.toContain("hunter2");
  });

  it("is the same for serve, as JSON when asked", async () => {
    const path = write("wrong.yaml", "prot: 9000\n");
    const { code, stderr } = await leeway(["config", "check", "--json", "--config", path]);
    expect(code).toBe(2);
    expect(JSON.parse(stderr)).toMatchObject({
      code: "invalid-config",
      errors: [{ path: `${path}:1:1`, message: "prot is not a known key: did you mean port?" }],
    });
  });

  it("is not overlooked when it is not there", async () => {
    const { code, stderr } = await leeway(["serve", "--config", join(folder.path, "none.yaml")]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/none\.yaml: cannot be read: ENOENT/);
  });
});

describe("settings", () => {
  it("come from the file, then the environment, then flags, and `config show` says from where", async () => {
    write("leeway.yaml", "port: 1001\nhost: 127.0.0.2\nlog_level: warn\n");
    const { stdout } = await leeway(["config", "show", "--log-level", "debug"], {
      cwd: folder.path,
      env: { LEEWAY_PORT: "1002", LEEWAY_LOG_LEVEL: "error" },
    });
    expect(stdout).toContain("host: 127.0.0.2  # leeway.yaml:2:1\n");
    expect(stdout).toContain("port: 1002  # LEEWAY_PORT\n");
    expect(stdout).toContain("log_level: debug  # --log-level\n");
    expect(stdout).toContain("data_dir: ./leeway-data  # default\n");
  });

  it("are shown with secrets masked", async () => {
    const file = write("smtp", "smtp://bob:hunter2@mail.example:587\n");
    const { stdout } = await leeway(["config", "show"], {
      env: {
        LEEWAY_SMTP_URL_FILE: file,
        LEEWAY_API_KEYS: "[{name: ops, role: admin, key: hunter2-hunter2-hunter2}]",
        LEEWAY_CHANNELS:
          "{hook: {type: webhook, url: 'https://x.example/T0/hunter2hunter2hunter2', secret: whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw}}",
      },
    });
    expect(stdout).toContain(`smtp_url: smtp://***@mail.example:587  # LEEWAY_SMTP_URL_FILE (${file})`);
    expect(stdout).not.toMatch(/hunter2|MfKQ9/);
  });

  it.each([
    {
      what: "a slip",
      env: { LEEWAY_PROT: "1" },
      says: "LEEWAY_PROT: is not a known variable: did you mean LEEWAY_PORT?",
    },
    {
      what: "a wrong value",
      env: { LEEWAY_PORT: "high" },
      says: 'LEEWAY_PORT: port is "high": expected number',
    },
    {
      what: "a variable of Kubernetes",
      env: { LEEWAY_PORT: "tcp://10.0.0.1:8420" },
      says: "enableServiceLinks",
    },
    {
      what: "a file that is not there",
      env: { LEEWAY_SMTP_URL_FILE: "/nowhere" },
      says: "LEEWAY_SMTP_URL_FILE (/nowhere): cannot be read: ENOENT",
    },
    {
      what: "a value and a file",
      env: { LEEWAY_HOST: "127.0.0.1", LEEWAY_HOST_FILE: "/x" },
      says: "LEEWAY_HOST: is set and so is LEEWAY_HOST_FILE",
    },
  ])("of the environment are refused for $what", async ({ env, says }) => {
    const { code, stderr } = await leeway(["config", "check"], { env: env as Record<string, string> });
    expect(code).toBe(2);
    expect(stderr).toContain(says);
  });

  it("that nobody knows are ignored when they are far from any other", async () => {
    const { code, stdout } = await leeway(["config", "check"], { env: { LEEWAY_SERVICE_HOST: "10.0.0.1" } });
    expect(code).toBe(0);
    expect(stdout).toContain("LEEWAY_SERVICE_HOST is not a known variable and is ignored");
  });
});

describe("what a server finds in its configuration", () => {
  it("is there when it listens, and changed when it is started with another", async () => {
    const yaml = (window: string) => `
data_dir: ${join(folder.path, "data")}
channels:
  trainer: {type: webhook, url: "http://127.0.0.1:9/hook"}
alert_rules:
  drift: {on: drift, model: churn, channels: [trainer]}
retrain_policies:
  nightly: {model: churn, monitor: daily, target: {type: webhook, url: "http://127.0.0.1:9/train"}}
monitors:
  - {model: churn, name: daily, window: ${window}, owner: ops@example.org}
`;
    for (const window of ["1d", "6h"]) {
      const server = await serve(["--config", write("provision.yaml", yaml(window))]);
      const get = async (path: string) => (await fetch(`${server.url}${path}`)).json();
      expect(await get("/v1/models/churn/monitors/daily")).toMatchObject({
        spec: { window, owner: "ops@example.org" },
      });
      expect(await get("/v1/alert-rules/drift")).toMatchObject({ spec: { channels: ["trainer"] } });
      expect(await get("/v1/channels/trainer")).toMatchObject({ spec: { type: "webhook" } });
      expect(await get("/v1/retrain-policies/nightly")).toMatchObject({ spec: { monitor: "daily" } });
      expect(await server.stop()).toBe(0);
    }
  });

  it("is refused by name when it cannot be", async () => {
    const path = write(
      "bad.yaml",
      `data_dir: ${join(folder.path, "bad")}\nport: 0\nalert_rules:\n  drift: {channels: [nobody]}\n`,
    );
    const { code, stderr } = await leeway(["serve", "--config", path]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^leeway: alert_rules\.drift: .*nobody/m);
  });
});
