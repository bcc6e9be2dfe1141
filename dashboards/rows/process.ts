import { lines } from "../panels.ts";
import { queries } from "../queries.ts";

/** Is the service itself well. */
export const process = {
  title: "Process",
  panels: [
    lines({
      title: "Processor",
      says: "Cores used.",
      unit: "suffix:cores",
      width: 8,
      asks: [{ expr: queries.cpu, legend: "{{instance}}" }],
      min: 0,
    }),
    lines({
      title: "Memory",
      says: "Resident memory, DuckDB's included, and the JavaScript heap within it.",
      unit: "bytes",
      width: 8,
      asks: [
        { expr: queries.memory, legend: "{{instance}} resident" },
        { expr: queries.heap, legend: "{{instance}} heap" },
      ],
      min: 0,
    }),
    lines({
      title: "Event loop lag, p99",
      says: "How long a timer waits behind other work. Above a tenth of a second requests feel it.",
      unit: "s",
      width: 8,
      asks: [{ expr: queries.eventLoopLag, legend: "{{instance}}" }],
      limits: "drawn",
      min: 0,
      steps: [
        [null, "green"],
        [0.1, "red"],
      ],
    }),
    lines({
      title: "Open files",
      says: "Share of the files the process may have open.",
      unit: "percentunit",
      width: 8,
      asks: [{ expr: queries.openFiles, legend: "{{instance}}" }],
      limits: "drawn",
      min: 0,
      steps: [
        [null, "green"],
        [0.8, "red"],
      ],
    }),
    lines({
      title: "Running since",
      says: "Time since the process started. A fall to nought is a restart.",
      unit: "s",
      width: 8,
      asks: [{ expr: queries.uptime, legend: "{{instance}}" }],
      min: 0,
    }),
    lines({
      title: "Time to scrape",
      says: "How long Prometheus waits for /metrics. It grows with the number of monitored features.",
      unit: "s",
      width: 8,
      asks: [{ expr: queries.scrapeDuration, legend: "{{instance}}" }],
      min: 0,
    }),
  ],
} as const;
