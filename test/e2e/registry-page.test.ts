import { execFile } from "node:child_process";
import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { built } from "../built-program.ts";
import { FIXTURES, haveFixtures, WITHOUT_FIXTURES } from "../fixtures.ts";
import { makeFolder, type Served, serve } from "./leeway.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const page = readFileSync(join(ROOT, "docs/registry.md"), "utf8");
const run = promisify(execFile);
const folder = makeFolder();
let server: Served;

beforeAll(async () => {
  server = await serve(["--data-dir", join(folder.path, "data"), "--log-level", "info"]);
  writeFileSync(join(folder.path, "notes.txt"), "what was tried\n");
}, 60_000);

afterAll(async () => {
  await server.stop();
  folder.remove();
});

const blocks = [...page.matchAll(/```sh\n([\s\S]*?)```/g)].map(([, block = ""]) => block);

describe("docs/registry.md", { timeout: 120_000 }, () => {
  it.skipIf(!haveFixtures)(
    `shows commands that work, one after the other (${WITHOUT_FIXTURES})`,
    async () => {
      // A model with three inputs in its matrix, which the page calls age, income and region.
      copyFileSync(join(FIXTURES ?? "", "models/model_with_metadata.onnx"), join(folder.path, "model.onnx"));
      const leeway = `leeway() { "${process.execPath}" "${built("app/cli.ts")}" "$@"; }`;
      const said: string[] = [];
      for (const block of blocks) {
        const script = `set -eo pipefail\n${leeway}\n${block.replaceAll("http://127.0.0.1:8420", server.url).replaceAll("curl -s", "curl -sf")}`;
        const { stdout } = await run("bash", ["-c", script], {
          cwd: folder.path,
          env: { ...process.env, LEEWAY_URL: server.url },
        });
        said.push(stdout);
      }
      expect(said[0]).toMatch(
        /^churn:1 .*\n {2}about +more trees[\s\S]*takes +X FP32\[1, 3\][\s\S]*features +age, income, region/,
      );
      expect(said[1]).toMatch(/"version":"2".*"path":"docs\/notes.txt"/);
      expect(said[2]?.match(/^churn/gm)?.length).toBe(4);
      expect(said[3]).toMatch(
        /1 → 2 .*better on last month\n.*nothing → 1 .*the first one\nchurn@champion is 2 /,
      );
      expect(said[4]).toMatch(/champion .*1 .*the first one[\s\S]*champion .*2 .*better on last month/);
      for (const path of ["champion/docs/notes.txt", "notes-of-2.txt", "churn-2/docs/notes.txt"]) {
        expect(readFileSync(join(folder.path, path), "utf8"), path).toBe("what was tried\n");
      }
      expect(existsSync(join(folder.path, "churn-2/model.onnx"))).toBe(true);
      expect(said[6]).toMatch(/churn:1 is deleted\n$/);
    },
  );
});
