import { cpuSteps } from "../profiler/allocation.ts";
import type { Profile } from "../schema/profile.ts";
import type { Truth } from "./profiler-truth-grid.ts";

const MIB = 1024 * 1024;
/** Bars: CPU within this many steps, memory within this share or this many bytes. */
const STEPS = 1;
const MEMORY_SHARE = 0.15;
const MEMORY_BYTES = 64 * MIB;
/** Of the services, so many have to be within a step. */
const SHARE_WITHIN = 7 / 8;

/** What was found of one service, and what is right. */
export interface Row {
  readonly service: string;
  readonly settings: string;
  readonly profile: Pick<
    Profile,
    "recommendation" | "grade" | "reasons" | "elapsed_s" | "verified" | "cpu_model"
  >;
  readonly peak_bytes: number;
  readonly truth: Truth;
  /** Cores that a request's CPU time alone comes to, as it is written into the service. */
  readonly known_cores: number;
  /** What the profile had to say and did not. */
  readonly unsaid: string | null;
}

/** How many steps of the grid the recommendation is above (+) or below (-) the truth; undefined when either has none. */
export function stepsOff(row: Row): number | undefined {
  const steps = cpuSteps(64);
  const { cpu } = row.profile.recommendation;
  if (cpu === null || row.truth.cpu === null) return undefined;
  return steps.indexOf(cpu) - steps.indexOf(row.truth.cpu);
}

export function memoryVerdict({ profile, truth }: Row): "ok" | "too little" | "too much" | "unknown" {
  const given = profile.recommendation.memory_bytes;
  if (given === null || truth.memory_bytes === null) return "unknown";
  if (given < truth.memory_bytes) return "too little";
  const most = Math.max((1 + MEMORY_SHARE) * truth.memory_bytes, truth.memory_bytes + MEMORY_BYTES);
  return given <= most ? "ok" : "too much";
}

function isWithin(row: Row): boolean {
  const off = stepsOff(row);
  return off !== undefined && Math.abs(off) <= STEPS;
}

function isGood(row: Row): boolean {
  return isWithin(row) && memoryVerdict(row) === "ok";
}

/** The table and the score, as Markdown. */
export function scoreText(rows: readonly Row[]): string {
  const head = ["service", "known demand, cores", "CPU found", "CPU true", "steps off"].concat(
    "ms per request",
    "memory found",
    "memory true",
    "memory",
    "grade",
    "took",
  );
  const lines = rows.map((row) => {
    const off = stepsOff(row);
    const { recommendation, grade, elapsed_s, cpu_model } = row.profile;
    return [
      row.service,
      row.known_cores.toFixed(2),
      String(recommendation.cpu ?? "none"),
      String(row.truth.cpu ?? "none"),
      off === undefined ? "?" : off > 0 ? `+${off}` : String(off),
      String(cpu_model?.cpu_ms_per_request ?? "?"),
      mib(recommendation.memory_bytes),
      mib(row.truth.memory_bytes),
      memoryVerdict(row),
      grade,
      `${Math.round(elapsed_s)} s`,
    ];
  });
  const table = [head, head.map(() => "---"), ...lines].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
  return `${table}\n\n${scoreLines(rows)
    .map((line) => `- ${line}`)
    .join("\n")}\n`;
}

function scoreLines(rows: readonly Row[]): string[] {
  const within = rows.filter(isWithin).length;
  const memory = rows.filter((row) => memoryVerdict(row) === "ok").length;
  const little = rows.filter((row) => memoryVerdict(row) === "too little").length;
  const slow = rows.filter(({ profile }) => profile.elapsed_s > 300).length;
  const failures = rows.filter((row) => !isGood(row));
  return [
    `CPU within one step of the truth: ${within} of ${rows.length} (the bar is 7 in 8: ${within >= SHARE_WITHIN * rows.length ? "met" : "missed"})`,
    `memory within 15 % or 64 MiB: ${memory} of ${rows.length}; below what survives: ${little}`,
    `profiles that took longer than 5 minutes: ${slow}`,
    ...failures.map(
      ({ service, profile: { grade, reasons } }) =>
        `${service} is off, ${grade === "A" ? "and its grade of A did NOT say so" : `its grade of ${grade} says: ${reasons.join("; ")}`}`,
    ),
    ...rows.filter(isFalseAlarm).map(({ service }) => `${service}: a leak was said where there is none`),
    ...rows.flatMap(({ service, unsaid }) =>
      unsaid === null ? [] : [`${service}: the profile had to say "${unsaid}" and did NOT`],
    ),
  ];
}

function isFalseAlarm({ service, profile }: Row): boolean {
  return service !== "leak" && profile.reasons.some((reason) => reason.startsWith("memory grows"));
}

/** Whether nothing is below its bar. */
export function isPassed(rows: readonly Row[]): boolean {
  return (
    rows.filter(isWithin).length >= SHARE_WITHIN * rows.length &&
    rows.every(
      (row) =>
        memoryVerdict(row) !== "too little" &&
        row.unsaid === null &&
        !isFalseAlarm(row) &&
        row.profile.elapsed_s <= 300 &&
        (isGood(row) || row.profile.grade !== "A"),
    )
  );
}

function mib(bytes: number | null): string {
  return bytes === null ? "none" : `${Math.round(bytes / MIB)} MiB`;
}
