import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { leeway, makeFolder, serve } from "../e2e/leeway.ts";
import { FIXTURES, haveFixtures, WITHOUT_FIXTURES } from "../fixtures.ts";
import { PYTHON_SERVICE, profileOf } from "./run-profile.ts";

const MIB = 1024 * 1024;
const NAMES = ["period", "day", "price", "demand", "other_price", "transfer"];
const folder = makeFolder();
afterAll(() => folder.remove());
const short = ["--quick", "--budget", "10s", "--rate", "50", "--slo", "p95=250ms"];

describe("a model file is profiled to the end", () => {
  it.for([
    "sklearn/bike_gbr",
    "sklearn/elec2_logreg",
    "sklearn/elec2_rf",
    "sklearn/elec2_rf_zipmap",
    "mnist-8",
  ])("%s", async (name, { skip }) => {
    if (!haveFixtures || FIXTURES === undefined) return skip(WITHOUT_FIXTURES);
    const found = await profileOf(folder.path, [
      "--model",
      join(FIXTURES, "models", `${name}.onnx`),
      ...short,
    ]);
    expect(found.target).toMatchObject({ kind: "model", method: "POST" });
    expect(found.recommendation).toMatchObject({ replicas: 1, threads: 1 });
    expect(found.recommendation.cpu).toBeLessThanOrEqual(1);
    expect(found.recommendation.memory_bytes).toBeGreaterThan(48 * MIB);
    expect(found.recommendation.memory_bytes).toBeLessThan(400 * MIB);
    expect(found.cpu_model?.cpu_ms_per_request).toBeGreaterThan(0.02);
    expect(found.cpu_model?.cpu_ms_per_request).toBeLessThan(5);
    expect(found.verified.at_target.verdict).not.toBe("not-run");
    expect(found.successRate).toBeGreaterThan(95);
    expect([found.grade, found.reasons.join()]).toEqual(["C", expect.stringContaining("quick mode")]);
  });
});

it("a service of Python's standard library is profiled to the end: recommendation, evidence, grade, cost, report", async () => {
  const html = join(folder.path, "report.html");
  const bodies = join(folder.path, "rows.csv");
  writeFileSync(bodies, "age,name\n31,a\n42,b\n");
  const found = await profileOf(
    folder.path,
    ["--command", PYTHON_SERVICE, "--payloads", bodies, ...short, "--html", html].concat(
      ...["--cpu-hour", "0.04", "--gib-hour", "0.005"],
    ),
  );
  expect(found.cpu_model?.cpu_ms_per_request).toBeGreaterThan(0.9);
  expect(found.cpu_model?.cpu_ms_per_request).toBeLessThan(5);
  expect(found.recommendation.cpu).toBeLessThanOrEqual(1);
  expect(found.recommendedCpu).toBe(found.recommendation.cpu);
  expect(found.recommendation.memory_bytes).toBeLessThan(128 * MIB);
  expect(found.target).toMatchObject({ kind: "command", method: "POST", payloads: { count: 2 } });
  expect(found.cost?.per_million_predictions).toBeGreaterThan(0);
  expect(found.windows.length).toBeGreaterThan(4);
  expect(found.requests_sent).toBeGreaterThan(100);
  expect(found.shown).toContain(`grade ${found.grade}`);
  expect(found.shown).toContain("p95 over rate");
  expect(readFileSync(html, "utf8")).toContain("</html>");
});

it("a registered model is profiled by its alias, with what the server has recorded as bodies, and the profile is kept with its version", async ({
  skip,
}) => {
  if (!haveFixtures || FIXTURES === undefined) return skip(WITHOUT_FIXTURES);
  const { url, stop } = await serve(["--data-dir", join(folder.path, "data")]);
  try {
    const registered = await leeway([
      "model",
      "register",
      "elec2",
      join(FIXTURES, "models/sklearn/elec2_logreg.onnx"),
      "--alias",
      "champion",
      "--feature-names",
      NAMES.join(),
      "--url",
      url,
    ]);
    expect(registered, registered.stderr).toMatchObject({ code: 0 });
    // What callers sent, one or two instances at a time, as the server has recorded it.
    const records = Array.from({ length: 60 }, (_, i) => ({
      id: `call-${Math.floor(i / 1.5)}`,
      row: i % 3 === 2 ? 1 : 0,
      time: new Date().toISOString(),
      inputs: Object.fromEntries(NAMES.map((name, at) => [name, (i + at) / 100])),
      outputs: { label: i % 2 },
    }));
    const sent = await fetch(`${url}/v1/models/elec2/records`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(records),
    });
    expect(sent.status).toBe(202);
    const found = await profileOf(folder.path, [
      "--model",
      "elec2@champion",
      "--recorded",
      "elec2",
      "--threads",
      "2",
      "--server",
      url,
      "--save",
      ...short,
    ]);
    expect(found.target).toMatchObject({ kind: "model", model: "elec2", version: "1" });
    expect(found.target.path).toBe("/invocations");
    expect(found.target.payloads.source).toMatch(/^40 recorded calls of elec2 since 20/);
    expect(found.target.payloads.count).toBe(40);
    expect(found.successRate).toBeGreaterThan(95); // and the replica takes them
    expect(found.recommendation.threads).toBe(2);
    const listed = await leeway(["profile", "list", "--model", "elec2", "--url", url, "--json"]);
    expect(JSON.parse(listed.stdout)).toMatchObject([{ id: found.id, target: { version: "1" } }]);
  } finally {
    await stop();
  }
});
