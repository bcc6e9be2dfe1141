import { expect, it } from "vitest";
import { createMetrics } from "../../app/metrics.ts";

async function lines(metrics: ReturnType<typeof createMetrics>, name: string): Promise<string[]> {
  const { text } = await metrics.read();
  return text.split("\n").filter((line) => line.startsWith(`${name}{`));
}

it("shows every outcome at 0 as soon as one is counted, so that the first failure is an increase", async () => {
  const metrics = createMetrics({ version: "0.0.0" });
  metrics.count("leeway_notifications_total", { channel: "mail", outcome: "retried" });
  metrics.count("leeway_notifications_total", { channel: "mail", outcome: "retried" });
  expect(await lines(metrics, "leeway_notifications_total")).toEqual([
    'leeway_notifications_total{channel="mail",outcome="delivered"} 0',
    'leeway_notifications_total{channel="mail",outcome="retried"} 2',
    'leeway_notifications_total{channel="mail",outcome="failed"} 0',
  ]);
});

it("keeps families apart and adds nothing to a counter without listed words", async () => {
  const metrics = createMetrics({ version: "0.0.0" });
  metrics.count("leeway_retrain_runs_total", { model: "a", outcome: "requested" });
  metrics.count("leeway_retrain_runs_total", { model: "b", outcome: "failed" });
  metrics.count("leeway_quality_failures_total", { model: "a", check: "missing" });
  expect(await lines(metrics, "leeway_retrain_runs_total")).toHaveLength(8);
  expect(await lines(metrics, "leeway_quality_failures_total")).toHaveLength(1);
});
