import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, it } from "vitest";
import { startSidecar } from "../../../bench/sidecar-processes.ts";
import { temporaryFolder } from "./here.ts";

const ROOT = resolve(import.meta.dirname, "../../..");
const HEAVY = /duckdb|onnxruntime/i;

/** What a file imports when it is loaded: not types, and not what it imports only once it is asked to. */
const STATIC_IMPORT = /^(?:import|export)\s+(?!type\b)(?:[^"';]*?\sfrom\s+)?["']([^"'\n]+)["']/gm;
const DYNAMIC_IMPORT = /\bimport\(\s*["']([^"'\n]+)["']\s*\)/g;

/** Our files and the packages that come along with these files. */
function loadedBy(entries: readonly string[]): ReadonlySet<string> {
  const loaded = new Set<string>();
  const visit = (file: string): void => {
    const name = relative(ROOT, file);
    if (loaded.has(name)) return;
    loaded.add(name);
    for (const [, specifier = ""] of readFileSync(file, "utf8").matchAll(STATIC_IMPORT)) {
      if (!specifier.startsWith(".")) loaded.add(specifier);
      else if (specifier.endsWith(".ts")) visit(resolve(dirname(file), specifier));
    }
  };
  for (const entry of entries) visit(join(ROOT, entry));
  return loaded;
}

it("the sidecar imports neither DuckDB nor onnxruntime, nor any folder that does", () => {
  const command = "app/commands/sidecar.ts";
  const asked = [...readFileSync(join(ROOT, command), "utf8").matchAll(DYNAMIC_IMPORT)].map(([, path = ""]) =>
    relative(ROOT, resolve(ROOT, dirname(command), path)),
  );
  expect(asked).toContain("collector/sidecar/sidecar.ts");
  const loaded = loadedBy(["app/cli.ts", ...asked, "collector/sidecar/background.ts"]);
  expect(loaded).toContain("protocols/decode.ts");
  expect(
    [...loaded].filter((name) => HEAVY.test(name) || /^(store|drift|collector\/[^/]+\.ts)/.test(name)),
  ).toEqual([]);
});

it.runIf(process.platform === "linux")(
  "a running sidecar has neither of them in its memory nor open",
  async () => {
    const sidecar = await startSidecar([
      ...["--upstream", "http://127.0.0.1:9", "--model", "churn", "--spool-dir", temporaryFolder()],
    ]);
    const { pid } = sidecar.child;
    const open = readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/${pid}/fd/${fd}`)];
      } catch {
        return []; // closed meanwhile
      }
    });
    const mapped = readFileSync(`/proc/${pid}/maps`, "utf8").split("\n");
    await sidecar.stop();
    expect(mapped.length).toBeGreaterThan(10);
    expect([...mapped, ...open].filter((line) => HEAVY.test(line))).toEqual([]);
  },
);
