import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { waitFor } from "./wait-for.ts";

export const WITHOUT_PROMETHEUS = "needs Prometheus: install the package `prometheus` (it brings `promtool`)";

/** Whether both programs can be started from the PATH. */
export const havePrometheus = ["prometheus", "promtool"].every((program) => {
  try {
    execFileSync(program, ["--version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});

/** Runs promtool; its output is the message when it says no. */
export function promtool(...args: readonly string[]): string {
  try {
    return execFileSync("promtool", [...args], { encoding: "utf8", stdio: "pipe" });
  } catch (error) {
    const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string };
    throw new Error(`promtool ${args.join(" ")}\n${stdout}${stderr}`);
  }
}

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A real Prometheus that scrapes one target every second and runs rules as often. */
export interface RunningPrometheus {
  /** Answers an instant query; throws with Prometheus's own words when it is not valid. */
  query(expr: string): Promise<Sample[]>;
  /** The values of a label among the series of a selector, as a dashboard variable asks for them. */
  labelValues(label: string, selector: string): Promise<string[]>;
  rules(): Promise<readonly RuleState[]>;
  stop(): Promise<void>;
}

interface RuleState {
  readonly name: string;
  readonly type: "alerting" | "recording";
  readonly health: "ok" | "unknown" | "err";
  readonly lastError?: string;
  readonly state?: "inactive" | "pending" | "firing";
}

export async function startPrometheus({
  target,
  job,
  rules,
}: {
  readonly target: string;
  readonly job: string;
  readonly rules: string;
}): Promise<RunningPrometheus> {
  const folder = mkdtempSync(join(tmpdir(), "leeway-prometheus-"));
  const config = {
    global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
    rule_files: [rules],
    scrape_configs: [{ job_name: job, static_configs: [{ targets: [target] }] }],
  };
  writeFileSync(join(folder, "prometheus.yml"), JSON.stringify(config)); // JSON is YAML
  const port = await freePort();
  const server = spawn(
    "prometheus",
    [
      `--config.file=${join(folder, "prometheus.yml")}`,
      `--storage.tsdb.path=${join(folder, "data")}`,
      `--web.listen-address=127.0.0.1:${port}`,
      "--log.level=warn",
    ],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let log = "";
  server.stderr.on("data", (chunk: Buffer) => {
    log += chunk.toString();
  });
  const get = async (path: string, parameters: Readonly<Record<string, string>> = {}): Promise<unknown> => {
    const response = await fetch(`http://127.0.0.1:${port}${path}?${new URLSearchParams(parameters)}`);
    const body = (await response.json()) as { status: string; error?: string; data: unknown };
    if (body.status !== "success") throw new Error(body.error ?? `${path}: ${response.status}`);
    return body.data;
  };
  await waitFor(`Prometheus to be ready${log}`, async () => {
    if (server.exitCode !== null) throw new Error(`Prometheus ended: ${log}`);
    const response = await fetch(`http://127.0.0.1:${port}/-/ready`).catch(() => undefined);
    return response?.ok === true;
  });
  return {
    async query(expr) {
      const { resultType, result } = (await get("/api/v1/query", { query: expr })) as QueryData;
      if (resultType === "scalar") return [{ metric: {}, value: Number(result[1]) }];
      return result.map(({ metric, value }) => ({ metric, value: Number(value[1]) }));
    },
    async labelValues(label, selector) {
      return (await get(`/api/v1/label/${label}/values`, { "match[]": selector })) as string[];
    },
    async rules() {
      const { groups } = (await get("/api/v1/rules")) as { groups: { rules: RuleState[] }[] };
      return groups.flatMap((group) => group.rules);
    },
    async stop() {
      await ended(server);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

type QueryData =
  | { readonly resultType: "scalar"; readonly result: readonly [number, string] }
  | {
      readonly resultType: "vector";
      readonly result: readonly {
        readonly metric: Readonly<Record<string, string>>;
        readonly value: readonly [number, string];
      }[];
    };

/** Ends a child of ours and waits until it is gone. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await gone;
}

/** A port nobody listens on now. Prometheus cannot be asked which port it chose for itself. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new TypeError("no port");
  return address.port;
}

export function readCommitted(path: string): string {
  return readFileSync(join(import.meta.dirname, "../../dashboards", path), "utf8");
}
