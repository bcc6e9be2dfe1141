import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { packageRoot } from "../../app/package-root.ts";

/** Everything the demo leaves behind would lie here. */
const folder = mkdtempSync(join(tmpdir(), "leeway-test-demo-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What the demo made there; tsx keeps its cache beside it. */
function leftovers(): string[] {
  return readdirSync(folder).filter((name) => !name.startsWith("tsx-"));
}

/** Processes that have to do with that folder: replicas outlive the server that has started them. */
function running(): string[] {
  const all = execFileSync("ps", ["-A", "-o", "args"], { encoding: "utf8" }).split("\n");
  return all.filter((line) => line.includes(folder));
}

async function demo(
  args: readonly string[],
  interrupt?: RegExp,
): Promise<{ readonly code: number; readonly out: string }> {
  const child = spawn(process.execPath, ["--import", "tsx", "demo/main.ts", ...args], {
    cwd: packageRoot,
    env: { ...process.env, TMPDIR: folder, LEEWAY_PORT: "nonsense" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.on("data", (part: Buffer) => {
      out += part;
      if (interrupt?.test(out)) child.kill("SIGINT");
    });
  }
  const [code] = (await once(child, "close")) as [number];
  return { code, out };
}

describe("the demo", () => {
  let story: { readonly code: number; readonly out: string };
  beforeAll(async () => {
    story = await demo(["--exit"]);
  }, 300_000);

  it("tells a story that is true", () => {
    expect(story.out).toContain("What this demo claims, checked");
    expect(story.out).not.toContain("NOT SO");
    expect(story.code, story.out).toBe(0);
  });

  it.each([
    [/leeway model register flights .*--alias champion/, "the model is registered"],
    [/leeway deploy flights-live flights@champion/, "it is deployed"],
    [/flights-live: running, 1 of 1 replicas/, "it serves"],
    [/INJECTED BY THIS DEMO/, "the fault is announced"],
    [/distance is called a data fault: .*multiplied by 1\.609: miles to\s+kilometres/, "it is named"],
    [/A mail to on-call@example\.org: .*data fault in distance/, "a mail came"],
    [/\| Likely cause: values look multiplied by 1\.609/, "its text is printed"],
    [/Leeway asks for retraining: 2 of the last 3 windows drifted/, "a retrain is requested with a reason"],
    [/Run completed: /, "the trainer reported back"],
    [/flights@challenger --canary 25/, "the better model is a canary first"],
    [/leeway deploy promote flights-live/, "it is promoted"],
    [/answered all of 3,590 calls/, "no call failed"],
    [/Replaying 100 %/, "there is progress to be seen"],
    [/window +rows +drifted features +cause +action/, "it ends with the table"],
  ])("prints %s: %s", (words) => {
    expect(story.out).toMatch(words);
  });

  it("leaves nothing behind", () => {
    expect(leftovers()).toEqual([]);
    expect(running()).toEqual([]);
  });

  it("ends in order when it is interrupted", async () => {
    const { code, out } = await demo([], /Replaying/);
    expect(code, out).toBe(130);
    expect(leftovers()).toEqual([]);
    expect(running()).toEqual([]);
  });

  it("says what it does not know", async () => {
    const { code, out } = await demo(["--ful"]);
    expect(code).toBe(2);
    expect(out).toContain("--ful");
    expect(out).not.toContain("    at ");
  });
});
