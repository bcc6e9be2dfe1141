import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { createContext, runInContext } from "node:vm";
import { describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../../drift");

interface Example {
  readonly file: string;
  readonly code: string;
  readonly stated: string;
}

const sources = readdirSync(ROOT, { recursive: true, encoding: "utf8" }).filter(
  (file) => file.endsWith(".ts") && !file.startsWith("protocols"),
);

/** What stands between `@example` and the end of the comment or the next tag, as `code; // value`. */
function examplesOf(file: string): Example[] {
  const text = readFileSync(join(ROOT, file), "utf8");
  return [...text.matchAll(/@example\n((?: \* [^@\n].*\n)+)/g)].map(([, lines = ""]) => {
    const body = lines.replace(/^ \* /gm, "").trim();
    const [code = "", stated = ""] = body.split(/;\s*\/\/ /);
    return { file, code, stated };
  });
}

function flat(value: unknown): unknown[] {
  return value !== null && typeof value === "object" ? Object.values(value).flatMap(flat) : [value];
}

function expectStated(got: unknown, stated: string): void {
  const parts = flat(got);
  const numbers = [...stated.matchAll(/-?\d+(?:\.(\d+))?(?:e(-?\d+))?(…)?/g)];
  let next = 0;
  expect(parts.length).toBeGreaterThan(0);
  for (const part of parts) {
    if (typeof part !== "number") {
      expect(stated).toContain(String(part));
      continue;
    }
    const [text = "", decimals = "", exponent = "0", cut] = numbers[next] ?? [];
    next += 1;
    const unit = 10 ** (Number(exponent) - decimals.length);
    const away = Math.abs(part - Number(text.replace("…", "")));
    expect(away, `${part} is not ${stated}`).toBeLessThanOrEqual((cut ? 1 : 0.5000001) * unit);
  }
}

describe("the examples in the documentation are true", async () => {
  const scope: Record<string, unknown> = { Float64Array, Map };
  for (const file of sources) Object.assign(scope, await import(pathToFileURL(join(ROOT, file)).href));
  const context = createContext(scope);
  const examples = sources.flatMap(examplesOf);

  it("there are many", () => expect(examples.length).toBeGreaterThan(30));

  it.each(examples)("$file: $code", ({ code, stated }) => {
    expectStated(runInContext(`(${code})`, context), stated);
  });
});
