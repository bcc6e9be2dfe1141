import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { describe, expect, it } from "vitest";
import { withConfig } from "../../app/commands/config-options.ts";
import { readConfig } from "../../app/config.ts";
import { configOf, configSchema, modelSettings, role } from "../../app/config-schema.ts";
import { alertRuleSpec, channelSpec } from "../../schema/alert.ts";
import { monitorSpec } from "../../schema/monitor.ts";
import { retrainPolicySpec } from "../../schema/retrain.ts";

const page = readFileSync(join(import.meta.dirname, "../../docs/configuration.md"), "utf8");

/** The text below a heading, up to the next. */
function under(heading: string): string {
  const from = page.indexOf(`\n${heading}\n`);
  if (from < 0) throw new RangeError(`no heading ${heading}`);
  return page.slice(from + heading.length + 2).split(/^#/m)[0] ?? "";
}

/** The rows of the tables below a heading. */
function rowsUnder(heading: string): string[][] {
  return under(heading)
    .split("\n")
    .filter((line) => /^\| `/.test(line))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim()),
    );
}

const names = (cell = "") => [...cell.matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name);

describe("docs/configuration.md", () => {
  it("has each setting, and no other", () => {
    const documented = rowsUnder("## Settings").map(([key]) => names(key)[0]);
    expect(documented).toEqual(Object.keys(configSchema.shape));
  });

  it.each(rowsUnder("## Settings"))(
    "tells the default and the flag of %s",
    (key = "", fallback = "", flag = "") => {
      const [name = ""] = names(key);
      const value: unknown = configOf()[name as keyof ReturnType<typeof configOf>];
      const literal = typeof value === "string" || typeof value === "number";
      expect(names(fallback)[0]).toBe(
        literal ? String(value) : name === "allow_private_targets" ? "host" : undefined,
      );
      const flags = withConfig(new Command()).options.map(({ long }) => long);
      const own = `--${name.replaceAll("_", "-")}`;
      expect(names(flag)).toEqual(flags.includes(own) ? [own] : []);
    },
  );

  it.each([
    { heading: "### `models`", shape: modelSettings.shape },
    { heading: "### `monitors`", shape: monitorSpec.shape },
    { heading: "### `retrain_policies`", shape: retrainPolicySpec.shape },
  ])("has each key of $heading and its default", ({ heading, shape }) => {
    const rows = rowsUnder(heading);
    expect(rows.flatMap(([key]) => names(key))).toEqual(Object.keys(shape));
    for (const [key, fallback] of rows) {
      const field = shape[names(key)[0] as keyof typeof shape] as {
        safeParse(value: unknown): { data?: unknown };
      };
      const value = field.safeParse(undefined).data;
      if (value === undefined) expect(fallback, key).not.toContain("`");
      else
        expect(fallback, key).toBe(
          `\`${typeof value === "string" && /^[\d.]+$/.test(value) ? `"${value}"` : value}\``,
        );
    }
  });

  it("has each key of rules and channels", () => {
    const rule = new Set(names(under("### `alert_rules`")));
    for (const key of Object.keys(alertRuleSpec.shape)) expect(rule).toContain(key);
    const channel = under("### `channels`");
    for (const { shape } of channelSpec.options) {
      for (const key of Object.keys(shape)) expect(channel).toContain(`\`${key}`);
    }
  });

  it("has each role", () => {
    expect(rowsUnder("## Keys and roles").map(([key]) => names(key)[0])).toEqual(role.options);
  });

  it("has an example that is right", () => {
    const [, yaml = ""] = /```yaml\n([\s\S]*?)```/.exec(page) ?? [];
    const folder = mkdtempSync(join(tmpdir(), "leeway-configuration-"));
    try {
      writeFileSync(join(folder, "leeway.yaml"), yaml);
      const { config, places, warnings } = readConfig({ file: join(folder, "leeway.yaml"), env: {} });
      expect(warnings).toEqual([]);
      expect(Object.keys(places).length).toBeGreaterThan(10);
      expect(config.alert_rules["churn-faults"]?.on).toBe("quality");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
