import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { parseAllDocuments } from "yaml";
import { metricsOf, startSidecar } from "../../bench/sidecar-processes.ts";
import { leeway, makeFolder } from "./leeway.ts";

const guide = readFileSync(join(import.meta.dirname, "../../docs/sidecar.md"), "utf8");

it("the guide names every flag, and none that is not", async () => {
  const { stdout, code } = await leeway(["sidecar", "--help"]);
  expect(code).toBe(0);
  const flags = [...stdout.matchAll(/^ {2}(?:-h, )?(--[a-z-]+)/gm)].map(([, flag]) => flag);
  const told = [...guide.matchAll(/^\| `(--[a-z-]+)/gm)].map(([, flag]) => flag);
  expect([...told, "--help"].sort()).toEqual(flags.sort());
  expect(stdout).toContain("leeway sidecar --upstream http://127.0.0.1:9000 --model churn");
});

it("the pod of the guide fits together, and its sidecar starts with these arguments", async () => {
  const [deployment, service] = parseAllDocuments(/```yaml\n([\s\S]*?)```/.exec(guide)?.[1] ?? "").map(
    (document) => document.toJS(),
  );
  const { spec } = deployment.spec.template;
  const [sidecar] = spec.initContainers;
  const portOf = (flag: string) =>
    Number(
      sidecar.args
        .find((arg: string) => arg.startsWith(`${flag}=`))
        .split(":")
        .at(-1),
    );
  expect(sidecar.ports.map((port: { containerPort: number }) => port.containerPort)).toEqual([
    portOf("--listen"),
    portOf("--admin"),
  ]);
  expect(service.spec.ports[0].targetPort).toBe(portOf("--listen"));
  expect(service.spec.selector).toEqual(deployment.spec.selector.matchLabels);
  expect(deployment.spec.template.metadata.labels).toMatchObject(service.spec.selector);
  expect(sidecar.volumeMounts[0].name).toBe(spec.volumes[0].name);

  const folder = makeFolder();
  // The ports and the folder of the pod are not this machine's: what comes later goes before.
  const running = await startSidecar([
    ...sidecar.args,
    "--listen=127.0.0.1:0",
    "--admin=127.0.0.1:0",
    `--spool-dir=${folder.path}`,
  ]);
  const metrics = await metricsOf(running);
  const health = await fetch(`${running.adminUrl}${sidecar.livenessProbe.httpGet.path}`);
  expect(await running.stop()).toBe(0);
  folder.remove();
  expect(metrics.get('info{model="churn"}')).toBe(1);
  expect(metrics.get("spool_limit_bytes")).toBe(900 * 1024 ** 2);
  expect(health.status).toBe(200);
});

it("every metric that the guide names is there", async () => {
  const running = await startSidecar([
    "--upstream",
    "http://127.0.0.1:9",
    "--model",
    "churn",
    "--spool-dir",
    "none",
  ]);
  const names = new Set([...(await metricsOf(running)).keys()].map((name) => name.split("{")[0]));
  await running.stop();
  const told = [...guide.matchAll(/leeway_sidecar_([a-z_]+)/g)].map(([, name]) => name);
  expect(told.length).toBeGreaterThan(8);
  // The example greps for the beginning of a name.
  expect(told.filter((name) => name !== "sent" && !names.has(name))).toEqual([]);
});

it.concurrent.each([
  [["--model", "churn"], /--upstream/],
  [["--upstream", "ftp://x", "--model", "churn"], /--upstream ftp:\/\/x: expected an address such as/],
  [["--upstream", "http://u:p@x", "--model", "churn"], /--upstream: an address with a password is not taken/],
  [["--upstream", "http://x", "--model", "a b"], /--model a b: expected letters, digits/],
  [
    ["--upstream", "http://x", "--model", "m", "--sample", "0"],
    /--sample 0: expected a number above 0, at most 1/,
  ],
  [["--upstream", "http://x", "--model", "m", "--redact", "a=hash"], /LEEWAY_REDACT_KEY holds no key/],
  [
    ["--upstream", "http://x", "--model", "m", "--redact", "a=mask"],
    /is no way to redact a: expected drop, hash or truncate/,
  ],
  [["--upstream", "http://x", "--model", "m", "--listen", "8421"], /--listen 8421: expected host:port/],
  [
    ["--upstream", "http://x", "--model", "m", "--memory", "lots"],
    /--memory lots: expected an amount such as/,
  ],
])("%j is refused with what was expected", async (args, says) => {
  const { code, stderr } = await leeway(["sidecar", ...args]);
  expect(code).toBe(2);
  expect(stderr).toMatch(says);
});

it("a port that is taken is told with the flag to change", async () => {
  const running = await startSidecar([
    "--upstream",
    "http://127.0.0.1:9",
    "--model",
    "churn",
    "--spool-dir",
    "none",
  ]);
  const { code, stderr } = await leeway([
    ...["sidecar", "--upstream", "http://x", "--model", "m", "--spool-dir", "none", "--admin", "127.0.0.1:0"],
    ...["--listen", new URL(running.url).host],
  ]);
  await running.stop();
  expect(code).toBe(1);
  expect(stderr).toMatch(/cannot be listened on \(EADDRINUSE\): choose another --listen/);
});
