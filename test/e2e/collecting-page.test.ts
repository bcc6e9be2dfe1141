import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { built } from "../built-program.ts";
import { makeFolder, type Served, serve } from "./leeway.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const page = readFileSync(join(ROOT, "docs/collecting.md"), "utf8");
const run = promisify(execFile);
const folder = makeFolder();
let server: Served;

beforeAll(async () => {
  server = await serve(["--data-dir", join(folder.path, "data"), "--log-level", "info"]);
}, 60_000);

afterAll(async () => {
  await server.stop();
  folder.remove();
});

/** Each command of the page, and what the page says it answers. */
const examples = [...page.matchAll(/```sh\n([\s\S]*?)```\n```json\n([\s\S]*?)```/g)].map(
  ([, command = "", answer = ""]) => ({
    command,
    answer: JSON.parse(answer) as unknown,
    says: command.split("\n")[0]?.slice(0, 90),
  }),
);

/** As a shell runs it that knows `leeway`, against the server of this test. */
async function shell(command: string): Promise<string> {
  const leeway = `leeway() { "${process.execPath}" "${built("app/cli.ts")}" "$@"; }`;
  const { stdout } = await run(
    "bash",
    ["-c", `${leeway}\n${command.replaceAll("http://127.0.0.1:8420", server.url)}`],
    {
      cwd: folder.path,
      env: { ...process.env, LEEWAY_URL: server.url },
    },
  );
  return stdout;
}

describe("docs/collecting.md", { timeout: 60_000 }, () => {
  it("shows an answer for each of its commands", () => {
    expect(page.match(/```sh\n/g)).toHaveLength(examples.length);
  });

  it.each(examples)("$says", async ({ command, answer }) => {
    expect(JSON.parse(await shell(command))).toMatchObject(answer as object);
  });
});
