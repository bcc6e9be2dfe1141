import type { Alert } from "../../schema/alert.ts";

export const firing: Alert = {
  id: "0198a1b2-0000-7000-8000-000000000000",
  rule: "flights-drift",
  model: "flights",
  monitor: "daily",
  state: "firing",
  severity: "warning",
  summary: "1 feature drifted",
  features: ["origin"],
  since: "2001-04-01T00:00:00.000Z",
  last_window_to: "2001-04-02T00:00:00.000Z",
  last_notified_at: "2001-04-02T00:15:00.000Z",
  acknowledged_by: null,
  acknowledged_why: null,
  resolved_at: null,
  owner: "data-team@example.org",
};
