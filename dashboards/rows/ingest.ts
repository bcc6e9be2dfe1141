import { lines } from "../panels.ts";
import { queries } from "../queries.ts";

/** Is data arriving, are labels arriving, does the service keep up. */
export const ingest = {
  title: "Ingest and labels",
  panels: [
    lines({
      title: "Records by outcome",
      says: "Records per second. Duplicates are retries and harmless; rejected ones were answered with the reason.",
      unit: "suffix:rec/s",
      width: 12,
      asks: [{ expr: queries.recordsByOutcome, legend: "{{model}} {{outcome}}" }],
      min: 0,
    }),
    lines({
      title: "Share of records rejected",
      says: "Rejected over received. The answer to each batch names the record, the path and the reason.",
      unit: "percentunit",
      width: 12,
      asks: [{ expr: queries.rejectedShare, legend: "{{model}}" }],
      limits: "drawn",
      min: 0,
      steps: [
        [null, "green"],
        [0.05, "red"],
      ],
    }),
    lines({
      title: "Labels by outcome",
      says: "Ground truth per second, by what became of it.",
      unit: "suffix:labels/s",
      width: 12,
      asks: [{ expr: queries.labelsByOutcome, legend: "{{model}} {{outcome}}" }],
      min: 0,
    }),
    lines({
      title: "Labels joined",
      says: "Share of the records whose ground truth has arrived: of the last closed window, and of the last day, 7 and 30 days of event time. What is missing of yesterday may be usual; what is missing of last month is late.",
      unit: "percentunit",
      width: 12,
      asks: [
        { expr: queries.labelsJoined, legend: "{{model}} last window" },
        { expr: queries.labelsComplete, legend: "{{model}} {{window}}" },
      ],
      min: 0,
      max: 1,
    }),
    lines({
      title: "Time to acknowledge",
      says: "From the first byte of an ingest request to its durable acknowledgement.",
      unit: "s",
      width: 12,
      asks: [
        { expr: queries.ingestDuration(0.5), legend: "p50" },
        { expr: queries.ingestDuration(0.95), legend: "p95" },
        { expr: queries.ingestDuration(0.99), legend: "p99" },
      ],
      min: 0,
    }),
    lines({
      title: "Records waiting",
      says: "Records received and not yet durable: their senders have no answer yet.",
      unit: "short",
      width: 12,
      asks: [{ expr: queries.queueRecords, legend: "{{instance}}" }],
      min: 0,
    }),
    lines({
      title: "Ingest queue",
      says: "Bytes of requests that wait to be taken in, against the limit beyond which the answer is 429.",
      unit: "bytes",
      width: 8,
      asks: [
        { expr: queries.queue, legend: "{{instance}} waiting" },
        { expr: queries.queueLimit, legend: "{{instance}} limit" },
      ],
      min: 0,
    }),
    lines({
      title: "Journal not yet in the tables",
      says: "Bytes that are safe in the journal and still to be moved into the tables. It returns to nought between bursts; at the limit requests wait, then are answered with 429.",
      unit: "bytes",
      width: 8,
      asks: [
        { expr: queries.backlog, legend: "{{instance}} waiting" },
        { expr: queries.backlogLimit, legend: "{{instance}} limit" },
      ],
      min: 0,
    }),
    lines({
      title: "Time to check a window",
      says: "How long one window of one monitor takes to check.",
      unit: "s",
      width: 8,
      asks: [
        { expr: queries.checkDuration(0.5), legend: "p50" },
        { expr: queries.checkDuration(0.99), legend: "p99" },
      ],
      min: 0,
    }),
    lines({
      title: "Stored",
      says: "Bytes of the database that hold something. Retention by size keeps it below its bound.",
      unit: "bytes",
      width: 12,
      asks: [{ expr: queries.storeBytes, legend: "{{instance}}" }],
      min: 0,
    }),
    lines({
      title: "Deleted by retention",
      says: "Records and labels that have become too old, or had to make room. Their profiles stay.",
      unit: "short",
      width: 12,
      asks: [{ expr: queries.retentionDeleted, legend: "{{model}} {{kind}}" }],
      min: 0,
    }),
    lines({
      title: "Captured calls by halves",
      says: "Requests and answers of captured calls that wait for their other half, and those given up because it did not come in time.",
      unit: "short",
      width: 24,
      height: 6,
      asks: [
        { expr: queries.captureWaiting, legend: "{{instance}} waiting" },
        { expr: queries.captureExpired, legend: "{{model}} {{kind}} given up" },
      ],
      min: 0,
    }),
    lines({
      title: "Age of the last window, and how late the next check is",
      says: "The age climbs by one window's length and falls back when the next one closes. Overdue above nought means that the scheduler is behind.",
      unit: "s",
      width: 24,
      height: 6,
      asks: [
        { expr: queries.windowAge, legend: "{{model}} / {{monitor}} age" },
        { expr: queries.checkOverdue, legend: "{{model}} / {{monitor}} overdue" },
      ],
      min: 0,
    }),
  ],
} as const;
