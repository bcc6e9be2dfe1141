import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { profile } from "../schema/profile.ts";

/**
 * Profiles real models and a Python service in quick mode, one after the other, by the command itself. Needs the reference
 * models: `LEEWAY_FIXTURES=… npm run bench -- profiler-models`; `RATE=100 SLO=p99=50ms`
 */
const FIXTURES = process.env.LEEWAY_FIXTURES;
const RATE = process.env.RATE ?? "100";
const SLO = process.env.SLO ?? "p99=50ms";
const ROOT = join(import.meta.dirname, "..");
const MODELS = [
  "sklearn/bike_gbr",
  "sklearn/elec2_logreg",
  "sklearn/elec2_rf",
  "sklearn/elec2_rf_zipmap",
  "mnist-8",
];

const targets: readonly (readonly [name: string, args: readonly string[]])[] = [
  ...(FIXTURES === undefined
    ? []
    : MODELS.map((name) => [name, ["--model", join(FIXTURES, "models", `${name}.onnx`)]] as const)),
  [
    "Python's http.server",
    [
      "--command",
      `python3 ${join(import.meta.dirname, "profiler-truth-service.py")} --cpu-ms 1`,
      "--method",
      "POST",
    ],
  ],
];

const folder = mkdtempSync(join(tmpdir(), "leeway-models-"));
const rows: string[][] = [];
for (const [name, args] of targets) {
  const out = join(folder, "profile.json");
  rmSync(out, { force: true });
  const { status, stderr } = spawnSync(
    process.execPath,
    [
      "--import",
      "tsx",
      join(ROOT, "app/cli.ts"),
      "profile",
      "run",
      ...args,
      "--rate",
      RATE,
      "--slo",
      SLO,
    ].concat("--quick", "--out", out),
    { cwd: ROOT, encoding: "utf8" },
  );
  if (status !== 0 && status !== 3) {
    process.stdout.write(`${name}: ended with ${status}\n${stderr}\n`);
    process.exitCode = 1;
    continue;
  }
  const found = profile.parse(JSON.parse(readFileSync(out, "utf8")));
  const { cpu, memory_bytes } = found.recommendation;
  rows.push([
    name,
    String(cpu ?? "none"),
    memory_bytes === null ? "none" : `${Math.round(memory_bytes / 1024 / 1024)} MiB`,
    String(found.cpu_model?.cpu_ms_per_request ?? "?"),
    `${Math.round(found.saturation?.max_rate ?? 0)}/s`,
    found.verified.verdict,
    found.grade,
    String(Math.round(found.elapsed_s)),
  ]);
}
rmSync(folder, { recursive: true, force: true });
const head = ["target", "CPU", "memory", "ms per request", "saturation", "verified", "grade", "seconds"];
const table = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`).join("\n");
process.stdout.write(`${RATE}/s, ${SLO}, quick mode\n\n${table}\n`);
