/** A service whose needs are known, because they are written into it. */
export interface KnownService {
  readonly name: string;
  readonly says: string;
  /** For the shell; the program is in bench/profiler-truth-service.py or .cjs. */
  readonly args: readonly string[];
  readonly runtime: "python3" | "node";
  /** CPU time of a request as written into it, its own plumbing apart. */
  readonly knownMs: number;
  readonly rate: number;
  readonly slo: string;
  /** What a profile has to say besides its size. */
  readonly mustSay?: string;
}

/** The services of the accuracy experiment: CPU time per request, memory, and ways to behave. */
export const KNOWN_SERVICES: readonly KnownService[] = [
  {
    name: "cpu-0.2ms",
    says: "0.2 ms of CPU per request",
    runtime: "node",
    args: ["--cpu-ms", "0.2"],
    knownMs: 0.2,
    rate: 400,
    slo: "p99=30ms",
  },
  {
    name: "cpu-1ms",
    says: "1 ms of CPU per request",
    runtime: "node",
    args: ["--cpu-ms", "1"],
    knownMs: 1,
    rate: 200,
    slo: "p99=50ms",
  },
  {
    name: "cpu-5ms",
    says: "5 ms of CPU per request, 60 MB",
    runtime: "python3",
    args: ["--cpu-ms", "5", "--memory-mb", "60"],
    knownMs: 5,
    rate: 60,
    slo: "p99=100ms",
  },
  {
    name: "cpu-20ms",
    says: "20 ms of CPU per request",
    runtime: "python3",
    args: ["--cpu-ms", "20"],
    knownMs: 20,
    rate: 15,
    slo: "p95=150ms",
  },
  {
    name: "memory-500mb",
    says: "1 ms of CPU, 500 MB",
    runtime: "python3",
    args: ["--cpu-ms", "1", "--memory-mb", "500"],
    knownMs: 1,
    rate: 60,
    slo: "p99=60ms",
  },
  {
    name: "concave",
    says: "cost per wake-up shared by the requests that wait: 200 MB",
    runtime: "node",
    args: ["--wake-ms", "2", "--cpu-ms", "0.3", "--memory-mb", "200"],
    knownMs: 1.3,
    rate: 200,
    slo: "p99=60ms",
  },
  {
    name: "bursty",
    says: "1 ms of CPU, every fiftieth request 25 ms",
    runtime: "python3",
    args: ["--cpu-ms", "1", "--burst-every", "50", "--burst-ms", "25"],
    knownMs: 1.48,
    rate: 60,
    slo: "p99=150ms",
  },
  {
    name: "two-processes",
    says: "2 ms of CPU each in two processes that share the port",
    runtime: "node",
    args: ["--cpu-ms", "2", "--processes", "2"],
    knownMs: 2,
    rate: 120,
    slo: "p99=60ms",
  },
  {
    name: "leak",
    says: "1 ms of CPU, 4 kB kept of every request",
    runtime: "python3",
    args: ["--cpu-ms", "1", "--leak-bytes", "4096"],
    knownMs: 1,
    rate: 100,
    slo: "p99=60ms",
    mustSay: "memory grows with every request",
  },
];
