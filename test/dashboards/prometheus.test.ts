import { createServer } from "node:http";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { alertRules, JOB } from "../../dashboards/alert-rules.ts";
import { metricTable } from "../../schema/metrics.ts";
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
  `a real Prometheus${havePrometheus ? "" : ` (skipped: ${WITHOUT_PROMETHEUS})`}`,
  () => {
    let prometheus: RunningPrometheus;
    const server = createServer((_, response) => {
      response.setHeader("content-type", "text/plain; version=0.0.4").end(exposition());
    });

    beforeAll(async () => {
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
      const address = server.address();
      if (address === null || typeof address === "string") throw new TypeError("no port");
      prometheus = await startPrometheus({ target: `127.0.0.1:${address.port}`, job: JOB, rules: RULES });
      await waitFor("two scrapes", async () => {
        const [scrapes] = await prometheus.query("count_over_time(up[1m])");
        return (scrapes?.value ?? 0) >= 4;
      });
    });
    afterAll(async () => {
      await prometheus?.stop();
      server.close();
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

let scrapes = 0;
function exposition(): string {
  scrapes += 1;
  const lines: string[] = [];
  for (const [name, { kind, labels, ...more }] of Object.entries(metricTable)) {
    const values: Readonly<Record<string, readonly string[]>> = "values" in more ? more.values : {};
    let sets: string[][] = [[]];
    for (const label of labels) {
      const words = values[label] ?? ["a", "b"];
      sets = sets.flatMap((set) => words.map((word) => [...set, `${label}="${word}"`]));
    }
    for (const set of sets) {
      const body = set.join(",");
      if (kind === "histogram") {
        for (const le of ["0.1", "1", "+Inf"])
          lines.push(`${name}_bucket{${[...set, `le="${le}"`].join(",")}} ${scrapes}`);
      } else lines.push(`${name}{${body}} ${kind === "counter" ? scrapes : 3}`);
    }
  }
  for (const name of [
    "process_start_time_seconds",
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "nodejs_heap_size_used_bytes",
    "nodejs_eventloop_lag_p99_seconds",
  ])
    lines.push(`${name} ${scrapes}`);
  return `${lines.join("\n")}\n`;
}
