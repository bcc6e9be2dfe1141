import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { profileRequestOf } from "../app/profile-flags.ts";
import { profileSurroundings } from "../app/profile-surroundings.ts";
import { cpuSteps } from "../profiler/allocation.ts";
import { runProfile } from "../profiler/run-profile.ts";
import type { Profile } from "../schema/profile.ts";
import { bruteForce, type Truth } from "./profiler-truth-grid.ts";
import { KNOWN_SERVICES, type KnownService } from "./profiler-truth-services.ts";

/**
 * How right the profiler is: services whose needs are known are profiled, and then brute force over a grid of limits says
 * what the right answer would have been. Takes about 10 minutes per service on a machine that does nothing else; what is
 * in `OUT` already is not done again, so that it can be stopped and go on.
 *
 * `SERVICES=cpu-1ms,leak MODE=full WINDOW=20 OUT=.tmp/profiler-truth.ndjson npm run bench -- profiler-truth`
 */
const WANTED = process.env.SERVICES?.split(",");
const MODE = process.env.MODE === "quick" ? "quick" : "full";
const WINDOW_SECONDS = Number(process.env.WINDOW ?? 20);
const OUT = process.env.OUT ?? join(import.meta.dirname, "..", ".tmp", "profiler-truth.ndjson");
const MIB = 1024 * 1024;

interface Row {
  readonly service: string;
  readonly mode: string;
  readonly profile: Pick<
    Profile,
    "recommendation" | "grade" | "reasons" | "elapsed_s" | "verified" | "cpu_model"
  >;
  readonly peak_bytes: number;
  readonly truth: Truth;
}

function requestFor(service: KnownService) {
  const program = join(
    import.meta.dirname,
    `profiler-truth-service.${service.runtime === "node" ? "cjs" : "py"}`,
  );
  return profileRequestOf({
    name: service.name,
    command: [service.runtime, program, ...service.args].join(" "),
    threads: "1",
    method: "POST",
    header: [],
    rows: "object",
    expectStatus: "200-299",
    timeout: "10",
    readyTimeout: "60",
    rate: String(service.rate),
    slo: service.slo,
    errors: "0.001",
    arrivals: "poisson",
    maxRequests: "5000000",
    seed: "1",
    ...(MODE === "quick" ? { quick: true } : {}),
  });
}

async function measure(service: KnownService): Promise<Row> {
  process.stdout.write(`${service.name}: ${service.says}; ${service.rate}/s, ${service.slo}\n`);
  const request = requestFor(service);
  const found = await runProfile(
    request,
    profileSurroundings(new AbortController().signal, () => undefined),
  );
  const { recommendation, grade, reasons, elapsed_s, verified, cpu_model, memory } = found;
  process.stdout.write(
    `  profile: ${recommendation.cpu} cores, ${mib(recommendation.memory_bytes)}, grade ${grade}, ${Math.round(elapsed_s)} s\n`,
  );
  const memoryFrom = (recommendation.memory_bytes ?? 256 * MIB) + 32 * MIB;
  const truth = await bruteForce(request, {
    seconds: Math.max(WINDOW_SECONDS, 1_000 / service.rate),
    memoryFrom,
  });
  return {
    service: service.name,
    mode: MODE,
    profile: { recommendation, grade, reasons, elapsed_s, verified, cpu_model },
    peak_bytes: memory?.peak_bytes ?? 0,
    truth,
  };
}

/** How many steps of the grid the recommendation is above (+) or below (-) the truth. */
function stepsOff(row: Row): number | undefined {
  const steps = cpuSteps(64);
  const { cpu } = row.profile.recommendation;
  if (cpu === null || row.truth.cpu === null) return undefined;
  return steps.indexOf(cpu) - steps.indexOf(row.truth.cpu);
}

function memoryVerdict({ profile, truth }: Row): string {
  const given = profile.recommendation.memory_bytes;
  if (given === null || truth.memory_bytes === null) return "?";
  if (given < truth.memory_bytes) return "too little";
  return given <= Math.max(1.15 * truth.memory_bytes, truth.memory_bytes + 64 * MIB) ? "ok" : "too much";
}

function table(rows: readonly Row[]): string {
  const head = [
    "service",
    "CPU found",
    "CPU truth",
    "steps off",
    "ms per request",
    "memory found",
    "memory truth",
    "memory",
    "grade",
    "seconds",
  ];
  const lines = rows.map((row) => {
    const off = stepsOff(row);
    const { recommendation, grade, elapsed_s, cpu_model } = row.profile;
    return [
      row.service,
      String(recommendation.cpu ?? "none"),
      String(row.truth.cpu ?? "none"),
      off === undefined ? "?" : off > 0 ? `+${off}` : String(off),
      String(cpu_model?.cpu_ms_per_request ?? "?"),
      mib(recommendation.memory_bytes),
      mib(row.truth.memory_bytes),
      memoryVerdict(row),
      grade,
      String(Math.round(elapsed_s)),
    ];
  });
  return [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

function mib(bytes: number | null): string {
  return bytes === null ? "none" : `${Math.round(bytes / MIB)} MiB`;
}

mkdirSync(dirname(OUT), { recursive: true });
const before = existsSync(OUT) ? readFileSync(OUT, "utf8").trim().split("\n").filter(Boolean) : [];
const rows = before.map((line) => JSON.parse(line) as Row).filter(({ mode }) => mode === MODE);
for (const service of KNOWN_SERVICES) {
  if (WANTED !== undefined && !WANTED.includes(service.name)) continue;
  if (rows.some((row) => row.service === service.name)) continue;
  const row = await measure(service);
  rows.push(row);
  appendFileSync(OUT, `${JSON.stringify(row)}\n`);
}
const within = rows.filter((row) => Math.abs(stepsOff(row) ?? 9) <= 1).length;
process.stdout.write(`\n${table(rows)}\n\nCPU within one step of the truth: ${within} of ${rows.length}\n`);
for (const { service, profile } of rows) process.stdout.write(`${service}: ${profile.reasons.join("; ")}\n`);
for (const { name, mustSay } of KNOWN_SERVICES) {
  const row = rows.find(({ service }) => service === name);
  if (mustSay && row && !row.profile.reasons.some((reason) => reason.includes(mustSay))) {
    process.stdout.write(`${name}: the profile had to say "${mustSay}" and did not\n`);
    process.exitCode = 1;
  }
}
