import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { alertRules, JOB } from "../../dashboards/alert-rules.ts";
import { type BusyService, startBusyService } from "./busy-service.ts";
import { printedQueries, printedVariables, substituted } from "./printed-dashboard.ts";
import {
  havePrometheus,
  type RunningPrometheus,
  startPrometheus,
  WITHOUT_PROMETHEUS,
} from "./prometheus-tools.ts";
import { waitFor } from "./wait-for.ts";

const RULES = join(import.meta.dirname, "../../dashboards/prometheus/leeway-rules.yml");

describe.skipIf(!havePrometheus)(
  `a real Prometheus that scrapes a real service${havePrometheus ? "" : ` (skipped: ${WITHOUT_PROMETHEUS})`}`,
  () => {
    let prometheus: RunningPrometheus;
    let service: BusyService;

    beforeAll(async () => {
      service = await startBusyService();
      const target = new URL(service.url).host;
      prometheus = await startPrometheus({ target, job: JOB, rules: RULES });
      await waitFor("two scrapes", async () => {
        const [scrapes] = await prometheus.query("count_over_time(up[1m])");
        return (scrapes?.value ?? 0) >= 4;
      });
      await service.happen();
      await waitFor("a scrape of what has happened", async () => {
        const [failed] = await prometheus.query('sum(leeway_undelivered_messages{kind="retrain-policy"})');
        return (failed?.value ?? 0) > 0;
      });
      await new Promise((resolve) => setTimeout(resolve, 3_000)); // and two more, for rates
    }, 120_000);
    afterAll(async () => {
      await prometheus?.stop();
      await service?.stop();
    });

    it.each(printedQueries)("answers the query of $where", async ({ expr }) => {
      expect(await prometheus.query(substituted(expr))).not.toEqual([]);
    });

    it.each(printedVariables)("offers choices for $name", async ({ label, selector }) => {
      expect(await prometheus.labelValues(label, substituted(selector))).not.toEqual([]);
    });

    it.each(alertRules)("measures what $alert watches", async ({ measures }) => {
      expect(await prometheus.query(measures)).not.toEqual([]);
    });

    it("runs every rule without an error", async () => {
      await waitFor("every rule to be evaluated", async () =>
        (await prometheus.rules()).every(({ health }) => health !== "unknown"),
      );
      const rules = await prometheus.rules();
      expect(rules).toHaveLength(alertRules.length + 1);
      expect(rules.filter(({ health }) => health !== "ok")).toEqual([]);
    });
  },
);
