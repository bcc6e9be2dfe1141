import { execFileSync } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { buildProgram } from "../../app/program.ts";
import { leeway, makeFolder, type Served, serve } from "./leeway.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const folder = makeFolder();
const file = (name: string) => join(folder.path, name);
let server: Served;

const DAY_MS = 86_400_000;
const START = Date.UTC(2026, 0, 1);

/** Rows of a week whose amounts are around `centre`. */
function rows(
  centre: number,
): readonly { readonly time: string; readonly amount: number; readonly city: string }[] {
  return Array.from({ length: 700 }, (_, i) => ({
    time: new Date(START + (i * DAY_MS) / 100).toISOString(),
    amount: centre + ((i * 37) % 100) / 10,
    city: ["oslo", "bergen", "narvik"][(i * 7) % 3] ?? "",
  }));
}

function csv(centre: number): string {
  const lines = rows(centre).map(({ time, amount, city }) => `${time},${amount},${city}`);
  return `time,amount,city\n${lines.join("\n")}\n`;
}

beforeAll(async () => {
  writeFileSync(file("train.csv"), csv(10));
  writeFileSync(file("same.csv"), csv(10));
  writeFileSync(file("moved.csv"), csv(40));
  const records = rows(10).map(({ time, ...inputs }, i) =>
    JSON.stringify({ id: `r${i}`, time, inputs, outputs: { score: 1 } }),
  );
  writeFileSync(file("records.ndjson"), `${records.join("\n")}\n`);
  writeFileSync(file("labels.ndjson"), '{"id":"r1","label":true}\n{"id":"r2","label":false}\n');
  server = await serve(["--data-dir", file("data")]);
});
afterAll(async () => {
  await server?.stop();
  folder.remove();
});

const commands: readonly (readonly [name: string, command: Command])[] = leaves(buildProgram(), []);

function leaves(command: Command, path: readonly string[]): [string, Command][] {
  if (command.commands.length === 0) return [[path.join(" "), command]];
  return command.commands.flatMap((sub) => leaves(sub, [...path, sub.name()]));
}

function helpOf(command: Command): string {
  let help = "";
  command.configureOutput({
    writeOut: (text) => {
      help += text;
    },
  });
  command.outputHelp();
  return help;
}

describe("help", () => {
  it.each(commands)("of leeway %s has an example that the command would take", (name, command) => {
    const help = helpOf(command);
    const examples = help
      .slice(help.indexOf("\nExample:"))
      .replaceAll("\\\n", " ")
      .split("\n")
      .filter((line) => line.startsWith("  "));
    expect(examples.length, help).toBeGreaterThan(0);
    for (const example of examples) {
      expect(example).toContain(`leeway ${name}`);
      for (const [, option = ""] of example.matchAll(/ (--[a-z-]+)/g)) {
        expect(
          command.options.some(({ long }) => long === option),
          `${example}: ${option}`,
        ).toBe(true);
      }
    }
    expect(command.description()).not.toBe("");
    for (const { long, description } of command.options) expect(description, long).not.toBe("");
  });

  it("is printed for a command, for a noun, and for all, and that is no failure", async () => {
    for (const args of [["--help"], ["drift", "--help"], ["drift", "compare", "--help"]]) {
      const { code, stdout, stderr } = await leeway(args);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout).toContain("Usage: leeway");
    }
  });

  it("tells the version of the package", async () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { version: string };
    expect(await leeway(["--version"])).toMatchObject({ code: 0, stdout: `${version}\n` });
  });
});

describe("a wrong call ends with 2 and one line", () => {
  it.each([
    { args: ["serv"], says: "unknown command 'serv' (Did you mean serve?)" },
    { args: ["drift", "compair"], says: "unknown command 'compair' (Did you mean compare?)" },
    { args: ["serve", "--prot", "1"], says: "unknown option '--prot' (Did you mean --port?)" },
    { args: ["drift", "compare", "a.csv"], says: "missing required argument 'current'" },
    { args: ["drift", "compare", "a.csv", "b.csv", "c.csv"], says: "too many arguments" },
    { args: ["retrain", "run", "m"], says: "required option '--reason <text>' not specified" },
    { args: ["events", "tail", "--after", "yesterday"], says: "Expected the sequence number of an event" },
    {
      args: ["drift", "compare", "a.csv", "b.csv", "--false-alarms", "2"],
      says: "--false-alarms 2: expected a probability",
    },
    {
      args: ["drift", "compare", "a.csv", "b.csv", "--preset", "nobody"],
      says: "--preset nobody is not known",
    },
    {
      args: ["records", "export", "m", "x", "--from", "then", "--to", "2026-01-01"],
      says: "--from then: expected a date",
    },
    { args: ["baseline", "create", "m", "1", "train.xlsx"], says: "train.xlsx ends with none of .csv" },
  ])("$args", async ({ args, says }) => {
    const { code, stdout, stderr } = await leeway(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain(says);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).toMatch(/^leeway: /);
  });

  it.each([{ args: [] }, { args: ["drift"] }])("without a verb, with the help: $args", async ({ args }) => {
    const { code, stdout, stderr } = await leeway(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("Usage: leeway");
  });
});

describe("a call that fails ends with 1", () => {
  it.each([
    {
      what: "no server there",
      args: ["retrain", "status", "--url", "http://127.0.0.1:65530"],
      says: "http://127.0.0.1:65530 does not answer (ECONNREFUSED): is leeway serve running there?",
    },
    {
      what: "no such file",
      args: ["records", "import", "m", "/nowhere.ndjson"],
      says: "/nowhere.ndjson cannot be read",
    },
    {
      what: "no such baseline",
      args: ["drift", "compare", "/nowhere.csv", "/nowhere.csv"],
      says: "/nowhere.csv",
    },
    { what: "a folder that is a file", args: ["dashboards", "export", "/dev/null"], says: "/dev/null" },
  ])("$what", async ({ args, says }) => {
    const { code, stdout, stderr } = await leeway(args);
    expect(stderr).toContain(says);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
  });

  it("says what the server said", async () => {
    const url = ["--url", server.url];
    const { code, stderr } = await leeway(["retrain", "status", "nobody", ...url]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^leeway: .*nobody/);
    const json = await leeway(["retrain", "status", "nobody", "--json", ...url]);
    expect(JSON.parse(json.stderr)).toMatchObject({ code: "not-found" });
  });
});

describe("leeway drift compare", () => {
  it("ends with 0 when nothing has drifted", async () => {
    const { code, stdout, stderr } = await leeway(["drift", "compare", file("train.csv"), file("same.csv")]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("stable");
  });

  it("ends with 3 when something has, and --json is one document", async () => {
    const args = [
      "drift",
      "compare",
      file("train.csv"),
      file("moved.csv"),
      "--columns",
      "amount,city",
      "--json",
    ];
    const { code, stdout } = await leeway(args);
    expect(code).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      dataset: { verdict: "drifted", drifted: 1, checked: 2 },
      columns: [
        { name: "amount", verdict: "drifted" },
        { name: "city", verdict: "stable" },
      ],
    });
  });
});

describe("commands that talk to a server", () => {
  const run = (...args: readonly string[]) => leeway([...args, "--url", server.url]);

  it("send records, and repeat that without storing anything twice", async () => {
    const first = await run("records", "import", "churn", file("records.ndjson"));
    expect(first).toMatchObject({ code: 0 });
    expect(first.stdout).toContain("700 records: 700 stored, 0 there already, 0 rejected");
    const again = await run("records", "import", "churn", file("records.ndjson"), "--json");
    expect(again.code).toBe(0);
    expect(JSON.parse(again.stdout)).toMatchObject({ received: 700, rejected: 0 });
    const exported = await run(
      "records",
      "export",
      "churn",
      "--from",
      "2026-01-01",
      "--to",
      "2026-02-01",
      file("week.parquet"),
    );
    expect(exported.code).toBe(0);
    expect(exported.stdout).toContain("700 records");
    expect(readFileSync(file("week.parquet")).subarray(0, 4).toString()).toBe("PAR1");
    const manifest = JSON.parse(readFileSync(file("week.parquet.manifest.json"), "utf8")) as unknown;
    expect(manifest).toMatchObject({ file: "week.parquet", model: "churn", rows: 700, form: "records" });
  });

  it("send labels from standard input and name the wrong lines", async () => {
    expect(await run("labels", "import", "churn", file("labels.ndjson"))).toMatchObject({ code: 0 });
    const { code, stdout } = await leeway(["labels", "import", "churn", "-", "--url", server.url], {
      input: '{"id":"r3","label":true}\n\n{"id":"r4"}\n',
    });
    expect(code).toBe(1);
    expect(stdout).toContain("2 labels: 1 stored, 0 there already, 1 rejected");
    expect(stdout).toContain("line 3: label");
  });

  it("make a baseline", async () => {
    const { code, stdout } = await run(
      "baseline",
      "create",
      "churn",
      "1",
      file("train.csv"),
      "--ignore",
      "city",
    );
    expect(code).toBe(0);
    expect(stdout).toContain(
      'baseline of churn version 1: 700 rows, calibrated on its own windows by "time"',
    );
    expect(stdout).toContain("  amount  numeric");
  });

  it("ask for retraining, and tell of it", async () => {
    const target = { type: "webhook", url: "http://127.0.0.1:9/train" };
    await fetch(`${server.url}/v1/retrain-policies/nightly`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model: "churn", monitor: "daily", target }),
    });
    const asked = await run(
      "retrain",
      "run",
      "churn",
      "--reason",
      "prices changed",
      "--json",
      "--to",
      "2026-01-08T00:00:00Z",
    );
    expect(asked.stderr).toBe("");
    const { id } = JSON.parse(asked.stdout) as { id: string };
    const all = await run("retrain", "status", "--model", "churn");
    expect(all.stdout).toMatch(new RegExp(`^${id} {2}churn {2}requested`));
    expect((await run("retrain", "status", id)).stdout).toContain("why   prices changed");
  });

  it("print events", async () => {
    const { code, stdout } = await run("events", "tail", "--no-follow", "--json");
    expect(code).toBe(0);
    const types = stdout
      .trimEnd()
      .split("\n")
      .map((text) => (JSON.parse(text) as { type: string }).type);
    expect(types).toEqual(
      expect.arrayContaining(["dev.leeway.baseline.created", "dev.leeway.retrain.requested"]),
    );
    const plain = await run("events", "tail", "--no-follow");
    expect(plain.stdout).toMatch(/retrain\.requested .*prices changed/);
  });
});

describe("leeway dashboards export", () => {
  it("writes what is committed", async () => {
    const to = file("monitoring");
    const { code, stdout } = await leeway(["dashboards", "export", to, "--json"]);
    expect(code).toBe(0);
    const { files } = JSON.parse(stdout) as { files: string[] };
    expect(files).toHaveLength(5);
    for (const written of files) {
      const committed = join(ROOT, "dashboards", written.slice(to.length));
      expect(readFileSync(written, "utf8")).toBe(readFileSync(committed, "utf8"));
    }
  });
});

describe("the package", () => {
  it("brings the program it names, once it is built", () => {
    const { bin } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      bin: { leeway: string };
    };
    execFileSync(
      join(ROOT, "node_modules/.bin/tsc"),
      ["-p", "tsconfig.build.json", "--outDir", file("dist")],
      { cwd: ROOT },
    );
    expect(bin.leeway.startsWith("dist/")).toBe(true);
    const built = file(bin.leeway);
    expect(existsSync(built)).toBe(true);
    expect(readFileSync(built, "utf8")).toMatch(/^#!\/usr\/bin\/env node\n/);
  });
});
