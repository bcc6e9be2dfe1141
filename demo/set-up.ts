import type { ApiClient } from "../app/api-client.ts";
import type { AlertRuleSpec, ChannelSpec } from "../schema/alert.ts";
import type { MonitorSpec } from "../schema/monitor.ts";
import type { RetrainPolicySpec } from "../schema/retrain.ts";
import { type LabelledFlight, type LateModel, scoreFlight } from "./model.ts";

export const MODEL = "flights";
export const DAILY = "daily";
export const WEEKLY = "weekly";
export const POLICY = "flights";

/** What is compared. Not the weekday: it follows from the window itself. */
const WATCHED = ["hour", "distance", "origin", "destination", "probability"];

/**
 * The demo closes windows itself, in the time of the flights; by the wall clock they all closed long ago. A grace this long
 * keeps the service's own scheduler from checking windows whose flights have yet to be replayed.
 */
const LONG_GRACE = "40000d";

/** Sends what the version was trained on, with its own answers, as the baseline to compare with. */
export async function putBaseline(
  leeway: ApiClient,
  version: string,
  {
    model,
    flights,
  }: { readonly model: LateModel; readonly flights: readonly (LabelledFlight & { readonly time: Date })[] },
): Promise<{ readonly rows: number }> {
  const lines = flights.map(({ time, inputs, late }) =>
    JSON.stringify({
      time: time.toISOString(),
      ...inputs,
      probability: scoreFlight(model, inputs),
      label: late,
    }),
  );
  const query = new URLSearchParams({ time_column: "time", label: "label", prediction: "probability" });
  return leeway.json({
    method: "PUT",
    path: `/v1/models/${MODEL}/versions/${version}/baseline?${query}`,
    headers: { "content-type": "application/x-ndjson" },
    body: lines.join("\n"),
  });
}

/** What to watch, whom to tell, and when to ask for retraining: five calls. */
export async function configure(
  leeway: ApiClient,
  { trainerUrl, secret }: { readonly trainerUrl: string; readonly secret: string },
): Promise<void> {
  const daily: Partial<MonitorSpec> = {
    window: "1d",
    grace: LONG_GRACE,
    columns: WATCHED,
    owner: "data team",
  };
  const weekly: Partial<MonitorSpec> = { ...daily, window: "1w", columns: [...WATCHED, "label"] };
  const channel: ChannelSpec = { type: "email", to: ["on-call@example.org"] };
  const rule: Partial<AlertRuleSpec> = { model: MODEL, channels: ["on-call"] };
  const policy: Partial<RetrainPolicySpec> = {
    model: MODEL,
    monitor: WEEKLY,
    windows: 2,
    of_last: 3,
    data_window: "28d",
    target: { type: "webhook", url: trainerUrl, secret },
  };
  await leeway.send("PUT", `/v1/models/${MODEL}/monitors/${DAILY}`, daily);
  await leeway.send("PUT", `/v1/models/${MODEL}/monitors/${WEEKLY}`, weekly);
  await leeway.send("PUT", "/v1/channels/on-call", channel);
  await leeway.send("PUT", "/v1/alert-rules/data-faults", {
    ...rule,
    on: "quality",
    monitor: DAILY,
    severity: "critical",
  });
  await leeway.send("PUT", "/v1/alert-rules/lasting-drift", { ...rule, on: "drift", monitor: WEEKLY });
  await leeway.send("PUT", `/v1/retrain-policies/${POLICY}`, policy);
}
