import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, it } from "vitest";

const ROOT = resolve(import.meta.dirname, "..");
const DOMAIN = ["schema", "protocols", "drift", "store"];

/** folder -> our folders (or parts of them) it may import, and the packages only it may import (see docs/architecture.md). */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  schema: [],
  protocols: ["schema"],
  drift: ["schema"],
  store: ["schema"],
  collector: DOMAIN,
  registry: [...DOMAIN, "events"],
  deployer: [...DOMAIN, "events", "collector/client"],
  profiler: [...DOMAIN, "events"],
  alerts: [...DOMAIN, "events"],
  events: DOMAIN,
  "retrain-trigger": [...DOMAIN, "events"],
  dashboards: DOMAIN,
  app: [
    ...DOMAIN,
    "collector",
    "registry",
    "deployer",
    "profiler",
    "alerts",
    "events",
    "retrain-trigger",
    "dashboards",
  ],
  demo: ["*"],
  bench: ["*"],
  test: ["*"],
};

const PACKAGES: readonly { readonly name: RegExp; readonly onlyIn: readonly string[] }[] = [
  { name: /^@duckdb\//, onlyIn: ["store"] },
  { name: /^onnxruntime-node/, onlyIn: ["deployer"] },
  { name: /^nodemailer/, onlyIn: ["alerts"] },
  { name: /^(prom-client|@hono\/node-server|pino|commander)/, onlyIn: ["app"] },
  { name: /^yaml/, onlyIn: ["app", "dashboards"] },
];

const PURE_PACKAGES: Readonly<Record<string, RegExp>> = {
  schema: /^zod$/,
  protocols: /^zod$/,
  drift: /^(?!)/, // none at all
};

/** An import or a re-export that begins a line or ends its braces, or a dynamic import; not a sentence that says "from". */
const IMPORT = /(?:^import\s+|^(?:import|export)\b[^"';]*?\sfrom\s+|\bimport\(\s*)["']([^"'\n]+)["']/gm;

/** Words that make a file depend on the world: only `app` and the programs of their own may say them. */
const IMPURE = /\bprocess\.env\b|\bset(?:Timeout|Interval|Immediate)\(/;
const IMPURE_IN_PURE = /\bMath\.random\(|\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(/;

interface Source {
  readonly path: string;
  readonly text: string;
}

/** Every breach of the rule, as a sentence. */
function breaches(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, text }) => {
    const folder = path.split("/")[0] ?? "";
    if (["demo", "bench", "test"].includes(folder)) return [];
    const found: string[] = [];
    for (const [, specifier] of text.matchAll(IMPORT)) {
      if (specifier === undefined) continue;
      if (specifier.startsWith(".")) {
        const imported = relative(ROOT, resolve(ROOT, dirname(path), specifier));
        const target = imported.split("/")[0] ?? "";
        const allowed = MAY_IMPORT[folder];
        const inPart = allowed?.some((part) => part.includes("/") && imported.startsWith(`${part}/`));
        if (target !== folder && target !== "package.json" && !allowed?.includes(target) && !inPart)
          found.push(`${path} imports ${target}`);
      } else {
        for (const { name, onlyIn } of PACKAGES) {
          if (name.test(specifier) && !onlyIn.includes(folder)) found.push(`${path} imports ${specifier}`);
        }
        const pure = PURE_PACKAGES[folder];
        if (pure && !pure.test(specifier)) found.push(`${path} imports ${specifier}`);
      }
    }
    const program =
      folder === "app" ||
      path.startsWith("collector/sidecar/") ||
      path.startsWith("deployer/replica/") ||
      path === "deployer/onnx/without-telemetry.ts" ||
      path.startsWith("profiler/generator/");
    const code = text.replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "");
    if (!program && IMPURE.test(code)) found.push(`${path} says ${IMPURE.exec(code)?.[0]}`);
    if (PURE_PACKAGES[folder] && IMPURE_IN_PURE.test(code))
      found.push(`${path} says ${IMPURE_IN_PURE.exec(code)?.[0]}`);
    return found;
  });
}

function readSources(): Source[] {
  return Object.keys(MAY_IMPORT).flatMap((folder) => {
    try {
      return readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
        .filter((name) => name.endsWith(".ts"))
        .map((name) => ({ path: `${folder}/${name}`, text: readFileSync(join(ROOT, folder, name), "utf8") }));
    } catch {
      return []; // a folder that a later part brings
    }
  });
}

describe("the dependency rule", () => {
  it("holds for every file", () => {
    const sources = readSources();
    expect(sources.length).toBeGreaterThan(10);
    expect(breaches(sources)).toEqual([]);
  });

  it.each([
    {
      path: "drift/x.ts",
      text: 'import { Database } from "../store/database.ts";',
      says: "drift/x.ts imports store",
    },
    { path: "drift/x.ts", text: "const now = Date.now();", says: "drift/x.ts says Date.now(" },
    {
      path: "drift/x.ts",
      text: 'import { readFileSync } from "node:fs";',
      says: "drift/x.ts imports node:fs",
    },
    {
      path: "collector/x.ts",
      text: 'import { start } from "../app/main.ts";',
      says: "collector/x.ts imports app",
    },
    {
      path: "collector/x.ts",
      text: 'import duckdb from "@duckdb/node-api";',
      says: "collector/x.ts imports @duckdb/node-api",
    },
    {
      path: "deployer/x.ts",
      text: 'import { Spool } from "../collector/sidecar/spool.ts";',
      says: "deployer/x.ts imports collector",
    },
    { path: "alerts/x.ts", text: "setTimeout(() => {}, 1);", says: "alerts/x.ts says setTimeout(" },
    { path: "store/x.ts", text: "const dir = process.env.HOME;", says: "store/x.ts says process.env" },
    { path: "app/x.ts", text: 'await import("../demo/main.ts");', says: "app/x.ts imports demo" },
    {
      path: "app/x.ts",
      text: 'import { createTransport } from "nodemailer";',
      says: "app/x.ts imports nodemailer",
    },
    {
      path: "schema/x.ts",
      text: 'import {\n  type Database,\n  open,\n} from "../store/database.ts";',
      says: "schema/x.ts imports store",
    },
    { path: "schema/x.ts", text: 'export * from "../store/database.ts";', says: "schema/x.ts imports store" },
    { path: "schema/x.ts", text: 'import "../store/database.ts";', says: "schema/x.ts imports store" },
  ])("finds the breach in $path: $says", ({ path, text, says }) => {
    expect(breaches([{ path, text }])).toEqual([says]);
  });

  it("does not take a word in a list or a sentence for an import", () => {
    const text =
      'const times = { path: ["from"], message: "from before to" };\nconst x = ["import"], y = ["a"];';
    expect(breaches([{ path: "schema/x.ts", text }])).toEqual([]);
  });

  it("lets a comment speak of time", () => {
    expect(breaches([{ path: "drift/x.ts", text: "// never Date.now() here" }])).toEqual([]);
  });
});
