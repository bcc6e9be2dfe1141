import { execFile, execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { startService } from "../app/test-service.ts";
import { temporaryFolder } from "../collector/test-collector.ts";

const run = promisify(execFile);

/** A Python that knows MLflow's client: the one that is named, or the one of the PATH. */
const python = [process.env.LEEWAY_MLFLOW_PYTHON, "python3"].find((program) => {
  try {
    if (program === undefined) return false;
    execFileSync(program, ["-c", "import mlflow"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});
const WITHOUT =
  "needs MLflow's client: pip install mlflow-skinny, or name a Python that has it in LEEWAY_MLFLOW_PYTHON";

/** The service with a model of two files, which an alias points to. */
async function startWithModel() {
  const service = await startService({ now: new Date("2026-01-02T03:04:05Z") });
  const { url } = service.server();
  const form = new FormData();
  form.append("name", "filed");
  form.append("file", new Blob(["the model"]), "model.bin");
  form.append("file", new Blob(["abc"]), "extra/notes.txt");
  expect((await fetch(`${url}/v1/models`, { method: "POST", body: form })).status).toBe(201);
  await service.put("/v1/models/filed/aliases/champion", { version: 1, why: "a test" });
  return url;
}

interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly type?: string;
  readonly body?: string;
  readonly status: number;
  readonly answer: unknown;
}

it("answers what MLflow's client 3.17.2 was recorded to ask, as it was then understood", async () => {
  const url = await startWithModel();
  const recorded = readFileSync(join(import.meta.dirname, "mlflow-recorded.ndjson"), "utf8")
    .trim()
    .split("\n");
  expect(recorded.length).toBeGreaterThan(60);
  for (const line of recorded) {
    const { method, path, type, body, status, answer } = JSON.parse(line) as Exchange;
    const got = await fetch(`${url}${path}`, {
      method,
      ...(body === undefined ? {} : { body, headers: { "content-type": type ?? "" } }),
    });
    const text = await got.text();
    const said = `${method} ${path} ${body ?? ""}`;
    expect([got.status, typeof answer === "string" ? text : JSON.parse(text)], said).toEqual([
      status,
      answer,
    ]);
  }
});

it.skipIf(python === undefined)(`does what MLflow's own client asks (${WITHOUT})`, async () => {
  const url = await startWithModel();
  const folder = temporaryFolder();
  for (const name of ["by-alias", "sent", "copy"]) mkdirSync(join(folder, name));
  const { stdout } = await run(python ?? "", [join(import.meta.dirname, "mlflow-client.py"), url, folder], {
    env: { ...process.env, MLFLOW_HTTP_REQUEST_MAX_RETRIES: "0", MLFLOW_DISABLE_TELEMETRY: "true" },
  });
  expect(JSON.parse(stdout.trim().split("\n").at(-1) ?? "")).toEqual({
    created: ["churn", { team: "growth" }, "who leaves", []],
    "created again": "RESOURCE_ALREADY_EXISTS",
    "bad name": "INVALID_PARAMETER_VALUE",
    version: ["1", "READY", "s3://bucket/model", "r1", { env: "prod" }, "None"],
    "unknown model": "RESOURCE_DOES_NOT_EXIST",
    model: ["who will leave", { tier: "1" }, { champion: "2" }, ["5"]],
    "by alias": ["2", "second", ["champion"], { env: "prod" }],
    "unknown alias": "RESOURCE_DOES_NOT_EXIST",
    "unknown version": "RESOURCE_DOES_NOT_EXIST",
    latest: ["5"],
    stage: "INVALID_PARAMETER_VALUE",
    rename: "INVALID_PARAMETER_VALUE",
    uri: "s3://bucket/2",
    like: ["churn-eu", "churn-us"],
    "by tag": ["churn-us"],
    ordered: ["fraud", "filed", "churn-us", "churn-eu", "churn"],
    pages: [["churn", "churn-eu"], ["churn-us", "filed"], ["fraud"]],
    versions: ["1", "2", "3", "4", "5"],
    "versions by tag": ["2", "1"],
    "versions by run": ["1"],
    "bad filter": "INVALID_PARAMETER_VALUE",
    "delete aliased": "RESOURCE_CONFLICT",
    left: ["churn", "churn-eu", "churn-us", "filed"],
    "by alias has": ["the model", "abc"],
    "one file": "abc",
    sent: ["flavors: {}", "sent by mlflow"],
    "sent nothing": "INVALID_PARAMETER_VALUE",
    copied: "the model",
  });
});
