import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FIXTURES, haveFixtures, WITHOUT_FIXTURES } from "../fixtures.ts";
import { leeway, makeFolder, serve } from "./leeway.ts";

const folder = makeFolder();
afterAll(() => folder.remove());

describe.skipIf(!haveFixtures)(
  `leeway score (${haveFixtures ? "with a real model" : WITHOUT_FIXTURES})`,
  () => {
    it("scores a file with a registered model by its names, and has it collected", {
      timeout: 60_000,
    }, async () => {
      const { path } = folder;
      const names = ["day", "period", "nswprice", "nswdemand", "vicprice", "transfer"];
      const golden = JSON.parse(readFileSync(join(FIXTURES ?? "", "models/sklearn/golden.json"), "utf8")) as {
        readonly elec2_rf: { readonly X: readonly (readonly number[])[]; readonly label: readonly string[] };
      };
      const { X, label } = golden.elec2_rf;
      const rows = X.map((row, at) => ({
        meter: `m${at}`,
        ...Object.fromEntries(names.map((name, i) => [name, row[i]])),
      }));
      writeFileSync(join(path, "meters.ndjson"), rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
      mkdirSync(join(path, "data"));
      const server = await serve(["--data-dir", join(path, "data")]);
      try {
        const run = async (...args: string[]) => {
          const ended = await leeway(args, { cwd: path, env: { LEEWAY_URL: server.url } });
          expect(ended.code, ended.stderr).toBe(0);
          return ended.stdout;
        };
        const model = join(FIXTURES ?? "", "models/sklearn/elec2_rf_zipmap.onnx");
        await run(
          "model",
          "register",
          "meters",
          model,
          "--feature-names",
          names.join(","),
          "--alias",
          "champion",
          "--no-git",
        );
        expect(
          await run("score", "meters@champion", "meters.ndjson", "scored.csv", "--capture", "--id", "meter"),
        ).toMatch(
          /^scored\.csv: 200 rows, with label, probabilities_DOWN, probabilities_UP \(.*\)\ncollected: 200 stored, 0 duplicates, 0 rejected\n$/,
        );
        const [head, first] = readFileSync(join(path, "scored.csv"), "utf8").split("\n");
        expect(head).toBe(`meter,${names.join(",")},label,probabilities_DOWN,probabilities_UP`);
        expect(first).toContain(`m0,`);
        const asked = await run(
          "query",
          "select count(*)::int as n, count_if(out_label = 'UP')::int as up, count(in_nswprice)::int as x from meters",
          "--json",
        );
        expect(JSON.parse(asked)).toMatchObject({
          rows: [[200, label.filter((each) => each === "UP").length, 200]],
        });
        const refused = await leeway(["score", "meters", "meters.ndjson", "scored.csv"], {
          cwd: path,
          env: { LEEWAY_URL: server.url },
        });
        expect(refused).toMatchObject({
          code: 1,
          stderr: "leeway: scored.csv is there already: remove it, or say --overwrite\n",
        });
        const again = await run(
          "score",
          "meters",
          "meters.ndjson",
          "scored.csv",
          "--overwrite",
          "--capture",
          "--id",
          "meter",
        );
        expect(again).toMatch(/collected: 0 stored, 200 duplicates, 0 rejected/);
      } finally {
        await server.stop();
      }
    });
  },
);
