import type { Metrics } from "../schema/metrics.ts";
import type { GroupStatus } from "./replica/group-state.ts";

/** Shows in the server's metrics what the groups have counted: counters there are the sum of what is new at each look. */
export class TrafficMetrics {
  readonly #metrics: Metrics;
  readonly #shown = new Map<string, number>();

  constructor(metrics: Metrics) {
    this.#metrics = metrics;
  }

  show(deployment: string, { pid, replicas, counts }: GroupStatus): void {
    this.#metrics.set("leeway_replicas", { deployment }, replicas.length);
    for (const [version, { requests }] of Object.entries(counts)) {
      for (const [key, n] of Object.entries(requests)) {
        const [protocol = "", code = ""] = key.split(" ");
        const series = `${deployment} ${pid} ${version} ${key}`;
        const more = n - (this.#shown.get(series) ?? 0);
        if (more <= 0) continue; // a replica was counted while it ended
        this.#shown.set(series, n);
        this.#metrics.count("leeway_scoring_requests_total", { deployment, version, protocol, code }, more);
      }
    }
  }

  forget(deployment: string): void {
    this.#metrics.set("leeway_replicas", { deployment }, 0);
  }
}
