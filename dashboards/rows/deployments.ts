import { lines } from "../panels.ts";
import { queries } from "../queries.ts";

/** Do the deployments answer. Each has its own /metrics at its address too, with durations. */
export const deployments = {
  title: "Deployments",
  panels: [
    lines({
      title: "Scoring requests",
      says: "Requests per second by version and status code; 5xx is the model's fault or a replica that is full.",
      unit: "reqps",
      width: 12,
      asks: [{ expr: queries.scoringRequests, legend: "{{deployment}} {{version}} {{code}}" }],
      min: 0,
    }),
    lines({
      title: "Replicas",
      says: "Replicas that answer. Fewer than were asked for means that one ends again and again: leeway deploy status tells why.",
      unit: "short",
      width: 12,
      asks: [{ expr: queries.replicas, legend: "{{deployment}}" }],
      min: 0,
    }),
  ],
};
