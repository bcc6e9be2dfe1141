import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { profileRequestOf } from "../app/profile-flags.ts";
import { profileSurroundings } from "../app/profile-surroundings.ts";
import { runProfile } from "../profiler/run-profile.ts";
import { bruteForce } from "./profiler-truth-grid.ts";
import { isPassed, type Row, scoreText } from "./profiler-truth-score.ts";
import { KNOWN_SERVICES, type KnownService } from "./profiler-truth-services.ts";

/**
 * How right the profiler is: services whose needs are known are profiled, and then a grid of limits is measured to see
 * what the right answer would have been. About 40 minutes for all nine on two cores that do nothing else; as root, since it limits
 * to parts of a core. What is in `OUT` already is not done again, so that it can be stopped and go on; the table is
 * written to the terminal and beside `OUT` after every service.
 *
 * `SERVICES=cpu-1ms,leak BUDGET=140 WINDOW=15 OUT=.tmp/profiler-truth.ndjson npm run bench -- profiler-truth`
 */
const WANTED = process.env.SERVICES?.split(",");
const BUDGET = process.env.BUDGET ?? "140";
const WINDOW_SECONDS = Number(process.env.WINDOW ?? 15);
const OUT = process.env.OUT ?? join(import.meta.dirname, "..", ".tmp", "profiler-truth.ndjson");
const SETTINGS = `budget ${BUDGET} s, windows of ${WINDOW_SECONDS} s`;
const MIB = 1024 * 1024;

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
    budget: BUDGET,
  });
}

async function measure(service: KnownService): Promise<Row> {
  process.stdout.write(`${service.name}: ${service.says}; ${service.rate}/s, ${service.slo}\n`);
  const request = requestFor(service);
  const around = profileSurroundings(new AbortController().signal, () => undefined);
  const found = await runProfile(request, around);
  const { recommendation, grade, reasons, elapsed_s, verified, cpu_model, memory } = found;
  process.stdout.write(
    `  profile: ${recommendation.cpu} cores, ${Math.round((recommendation.memory_bytes ?? 0) / MIB)} MiB, grade ${grade} (${reasons.join("; ")}), ${Math.round(elapsed_s)} s\n`,
  );
  const memoryMost = (recommendation.memory_bytes ?? 256 * MIB) + 64 * MIB;
  const truth = await bruteForce(request, { seconds: WINDOW_SECONDS, memoryMost });
  const { mustSay } = service;
  return {
    service: service.name,
    settings: SETTINGS,
    profile: { recommendation, grade, reasons, elapsed_s, verified, cpu_model },
    peak_bytes: memory?.peak_bytes ?? 0,
    truth,
    known_cores: (service.rate * service.knownMs) / 1_000,
    unsaid: mustSay === undefined || reasons.some((reason) => reason.includes(mustSay)) ? null : mustSay,
  };
}

mkdirSync(dirname(OUT), { recursive: true });
const before = existsSync(OUT) ? readFileSync(OUT, "utf8").trim().split("\n").filter(Boolean) : [];
const rows = before.map((line) => JSON.parse(line) as Row).filter(({ settings }) => settings === SETTINGS);
const writeTable = () => {
  const text = `${SETTINGS}; ${rows.length} of ${KNOWN_SERVICES.length} services\n\n${scoreText(rows)}`;
  writeFileSync(`${OUT}.md`, text);
  return text;
};
for (const service of KNOWN_SERVICES) {
  if (WANTED !== undefined && !WANTED.includes(service.name)) continue;
  if (rows.some((row) => row.service === service.name)) continue;
  const began = performance.now();
  const row = await measure(service);
  rows.push(row);
  appendFileSync(OUT, `${JSON.stringify(row)}\n`);
  writeTable();
  process.stdout.write(
    `  true: ${row.truth.cpu} cores, ${Math.round((row.truth.memory_bytes ?? 0) / MIB)} MiB; ${Math.round((performance.now() - began) / 1_000)} s in all\n`,
  );
}
process.stdout.write(`\n${writeTable()}`);
if (!isPassed(rows)) process.exitCode = 1;
