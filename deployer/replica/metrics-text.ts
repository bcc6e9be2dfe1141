import { DURATION_BUCKETS, type ScoringCounts } from "./counts.ts";

/** The counts of a deployment in the text that Prometheus reads. */
export function metricsText(
  deployment: string,
  counts: Readonly<ScoringCounts>,
  now: { readonly replicas: number; readonly in_flight: number; readonly resident_bytes: number },
): string {
  const lines = [
    "# HELP leeway_scoring_requests_total Scoring requests by version, protocol and status code; the version is empty where none was found.",
    "# TYPE leeway_scoring_requests_total counter",
  ];
  const of = (labels: Readonly<Record<string, string>>) =>
    `{${Object.entries({ deployment, ...labels })
      .map(([name, value]) => `${name}="${value.replaceAll(/["\\\n]/g, "_")}"`)
      .join(",")}}`;
  for (const [version, { requests }] of Object.entries(counts)) {
    for (const [key, n] of Object.entries(requests)) {
      const [protocol = "", code = ""] = key.split(" ");
      lines.push(`leeway_scoring_requests_total${of({ version, protocol, code })} ${n}`);
    }
  }
  lines.push(
    "# HELP leeway_scoring_duration_seconds Time from a request's last byte to its answer, of those that a version answered or failed at.",
    "# TYPE leeway_scoring_duration_seconds histogram",
  );
  for (const [version, { durations, durationSeconds }] of Object.entries(counts)) {
    let sum = 0;
    durations.forEach((n, at) => {
      sum += n;
      const le = String(DURATION_BUCKETS[at] ?? "+Inf");
      lines.push(`leeway_scoring_duration_seconds_bucket${of({ version, le })} ${sum}`);
    });
    lines.push(`leeway_scoring_duration_seconds_sum${of({ version })} ${durationSeconds}`);
    lines.push(`leeway_scoring_duration_seconds_count${of({ version })} ${sum}`);
  }
  const gauges = [
    ["leeway_replicas", "Replicas that answer.", now.replicas],
    ["leeway_scoring_in_flight", "Requests under way in the replica that answered this.", now.in_flight],
    ["leeway_replica_resident_bytes", "Memory of the replica that answered this.", now.resident_bytes],
  ] as const;
  for (const [name, help, value] of gauges)
    lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} gauge`, `${name}${of({})} ${value}`);
  return `${lines.join("\n")}\n`;
}
