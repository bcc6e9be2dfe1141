import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { InspectModel } from "../../schema/signature.ts";
import { openRegistry, refusalOf } from "./test-registry.ts";

const eventsOf = async ({ database }: Awaited<ReturnType<typeof openRegistry>>) =>
  (
    await database.all<{ type: string; subject: string }>(
      "select type, subject from events order by sequence",
    )
  ).map(({ type, subject }) => `${type.replace("dev.leeway.", "")} ${subject}`);

describe("registering", () => {
  it("counts versions by model, and gives no number twice, whatever is deleted", async () => {
    const it_ = await openRegistry();
    const numbers = [];
    for (const name of ["a", "b", "a"])
      numbers.push((await it_.register({ name }, { m: name })).version.version);
    await it_.registry.remove("a", "2", undefined);
    numbers.push((await it_.register({ name: "a" }, { m: "a" })).version.version);
    await it_.registry.removeModel("a", undefined);
    numbers.push((await it_.register({ name: "a" }, { m: "a" })).version.version);
    expect(numbers).toEqual(["1", "1", "2", "3", "4"]);
    expect(await eventsOf(it_)).toEqual([
      "model.registered models/a/versions/1",
      "model.registered models/b/versions/1",
      "model.registered models/a/versions/2",
      "model.deleted models/a/versions/2",
      "model.registered models/a/versions/3",
      "model.deleted models/a/versions/1",
      "model.deleted models/a/versions/3",
      "model.registered models/a/versions/4",
    ]);
  });

  it("gives every one of many at once a number of its own", async () => {
    const it_ = await openRegistry();
    const made = await Promise.all(
      Array.from({ length: 30 }, (_, i) => it_.register({ name: "churn" }, { m: `content ${i % 5}` })),
    );
    const numbers = made.map(({ version }) => Number(version.version)).sort((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: 30 }, (_, i) => i + 1));
    expect(it_.stored().length, "each content is there once, and nothing else").toBe(5);
  });

  it("makes one version of repeats with the same key, also at once, and refuses the key for other files", async () => {
    const it_ = await openRegistry();
    const keyed = { idempotencyKey: "k" };
    const made = await Promise.all(
      Array.from({ length: 8 }, () => it_.register({ name: "churn" }, { m: "x" }, keyed)),
    );
    expect(made.map(({ version }) => version.version)).toEqual(Array(8).fill("1"));
    expect(made.filter(({ outcome }) => outcome === "registered").length).toBe(1);
    expect(await refusalOf(it_.register({ name: "churn" }, { m: "y" }, keyed))).toMatchObject({
      code: "conflict",
    });
    expect((await it_.register({ name: "other" }, { m: "y" }, keyed)).version.version).toBe("1");
    expect(await eventsOf(it_)).toHaveLength(2);
    expect(it_.stored()).toHaveLength(2);
  });

  it("keeps what was said, and a hash that sha256sum gives as well", async () => {
    const it_ = await openRegistry({ now: () => new Date("2026-01-02T03:04:05Z") });
    const { version } = await it_.register(
      {
        name: "churn",
        description: "more trees",
        tags: { env: "prod" },
        properties: { auc: "0.91" },
        lineage: {
          run_id: "17",
          git: { commit: "abc", dirty: true },
          environment_file: "env/requirements.txt",
        },
        feature_names: ["age", "income"],
        class_labels: ["no", "yes"],
        why: "monthly",
      },
      { "model.bin": "abc", "env/requirements.txt": "" },
      { by: "key-of-ann" },
    );
    expect(version).toEqual({
      model: "churn",
      version: "1",
      description: "more trees",
      created_at: "2026-01-02T03:04:05.000Z",
      updated_at: "2026-01-02T03:04:05.000Z",
      registered_by: "key-of-ann",
      why: "monthly",
      tags: { env: "prod" },
      properties: { auc: "0.91" },
      aliases: [],
      lineage: {
        run_id: "17",
        git: { commit: "abc", dirty: true },
        environment_file: "env/requirements.txt",
      },
      files: [
        {
          path: "env/requirements.txt",
          bytes: 0,
          sha256: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        },
        {
          path: "model.bin",
          bytes: 3,
          sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        },
      ],
      bytes: 3,
      // sha256sum env/requirements.txt model.bin | sha256sum
      sha256: "435e957dc5242e7edd9ca3583d94eef10a3b8a5083c0eb0bef36b5424d4d4f7b",
      main_file: null,
      signature: { inputs: [], outputs: [], feature_names: ["age", "income"], class_labels: ["no", "yes"] },
      notes: [],
      sample: null,
      source: null,
    });
  });

  it.each([
    [{ lineage: { environment_file: "none.txt" } }, "is none of the files"],
    [{ lineage: { parent: "7" } }, "has no version 7"],
  ])("refuses what does not go together and stores nothing: %j", async (said, why) => {
    const it_ = await openRegistry();
    expect(await refusalOf(it_.register({ name: "churn", ...said }, { m: "x" }))).toMatchObject({
      message: expect.stringContaining(why),
    });
    expect(it_.stored()).toEqual([]);
    expect(await refusalOf(it_.registry.model("churn"))).toMatchObject({ code: "not-found" });
  });
});

it("knows the names of a version's features, or else of the newest that has any, also after a restart", async () => {
  const it_ = await openRegistry();
  await it_.register({ name: "churn", feature_names: ["a", "b"] }, { m: "x" });
  await it_.register({ name: "churn", feature_names: ["a", "c"] }, { m: "x" });
  await it_.register({ name: "churn" }, { m: "x" });
  const seen = ({ registry }: Pick<typeof it_, "registry">) =>
    ["1", "2", "3", "v7", undefined].map((version) => registry.featureNames.of("churn", version)?.join());
  const known = ["a,b", "a,c", "a,c", "a,c", "a,c"];
  expect(seen(it_)).toEqual(known);
  expect(seen(await openRegistry({ database: it_.database }))).toEqual(known);
  expect(it_.registry.featureNames.of("other", "1")).toBeUndefined();
  await it_.registry.remove("churn", "2", undefined);
  expect(seen(it_)).toEqual(Array(5).fill("a,b"));
});

describe("a model file", () => {
  /** Takes any text; one that is "broken" it refuses, and it writes a file to be served for "zipped". */
  const inspectModel: InspectModel = async (path, { sample }) => {
    const text = readFileSync(path, "utf8");
    if (text === "broken") return { verdict: "refused", reason: `${path}: no such operator` };
    const signature = {
      inputs: [{ name: "X", datatype: "FP32" as const, shape: [-1, 2] }],
      outputs: [{ name: "p", datatype: "FP32" as const, shape: [-1, 2] }],
    };
    const sample_outputs = sample && [
      { name: "p", datatype: "FP32" as const, shape: [1, 2], data: [0.2, 0.8] },
    ];
    if (text !== "zipped")
      return { verdict: "loads", signature, notes: [], ...(sample ? { sample_outputs } : {}) };
    const served_file = join(path, "..", "served.onnx");
    writeFileSync(served_file, "unzipped");
    return {
      verdict: "loads",
      signature,
      served_file,
      class_labels: ["no", "yes"],
      notes: ["it was rewritten"],
    };
  };

  it("that cannot be loaded is refused with the reason, without the server's folders in it", async () => {
    const it_ = await openRegistry({ inspectModel });
    const refusal = await refusalOf(
      it_.register({ name: "churn" }, { "sub/b.onnx": "broken", "a.onnx": "fine" }),
    );
    expect(refusal).toMatchObject({
      code: "invalid-input",
      message: "sub/b.onnx cannot be served: sub/b.onnx: no such operator",
      issues: [{ path: "sub/b.onnx" }],
    });
    expect(it_.stored()).toEqual([]);
  });

  it("has its sample's answers recorded, where the sample does not say them", async () => {
    const it_ = await openRegistry({ inspectModel });
    const inputs = [{ name: "X", datatype: "FP32" as const, shape: [1, 2], data: [1, 2] }];
    const said = [{ name: "p", datatype: "FP32" as const, shape: [1, 2], data: [0.25, 0.75] }];
    await it_.register({ name: "churn", sample: { inputs } }, { "a.onnx": "fine" });
    await it_.register({ name: "churn", sample: { inputs, outputs: said } }, { "a.onnx": "fine" });
    await it_.register({ name: "churn" }, { "a.onnx": "fine" });
    const outputs = async (version: string) => (await it_.registry.version("churn", version)).sample?.outputs;
    expect(await outputs("1")).toMatchObject([{ name: "p", data: [0.2, 0.8] }]);
    expect(await outputs("2")).toEqual(said);
    expect((await it_.registry.version("churn", "3")).sample).toBeNull();
  });

  it("that is rewritten is kept beside what is served, and resolves to both", async () => {
    const it_ = await openRegistry({ inspectModel });
    const { version } = await it_.register({ name: "churn" }, { "model.onnx": "zipped", "x.txt": "x" });
    expect(version).toMatchObject({ main_file: "model.onnx", notes: ["it was rewritten"] });
    const found = await it_.registry.resolve("churn", undefined);
    expect(found).toMatchObject({
      version: "1",
      main_file: "model.onnx",
      signature: { class_labels: ["no", "yes"] },
    });
    expect(readFileSync(found.served_blob_path ?? "", "utf8")).toBe("unzipped");
    expect(found.files.map(({ blob_path }) => readFileSync(blob_path, "utf8"))).toEqual(["zipped", "x"]);
    await it_.registry.remove("churn", "1", undefined);
    expect(it_.stored()).toEqual([]);
  });

  it.each([
    [{ feature_names: ["a", "b", "c"] }, "has 2 columns"],
    [
      { sample: { inputs: [{ name: "Y", datatype: "FP32", shape: [1, 2], data: [1, 2] }] } },
      "no such tensor",
    ],
    [
      { sample: { inputs: [{ name: "X", datatype: "FP32", shape: [1, 2], data: [1] }] } },
      "holds 2 values, 1",
    ],
  ])("is not registered with what does not fit it: %j", async (said, why) => {
    const it_ = await openRegistry({ inspectModel });
    expect(await refusalOf(it_.register({ name: "churn", ...said }, { "m.onnx": "fine" }))).toMatchObject({
      code: "invalid-input",
      message: expect.stringContaining(why),
    });
    expect(it_.stored()).toEqual([]);
  });

  it("takes a sample that fits", async () => {
    const it_ = await openRegistry({ inspectModel });
    const sample = { inputs: [{ name: "X", datatype: "FP32", shape: [1, 2], data: [[1, 2]] }] };
    await it_.register({ name: "churn", sample, feature_names: ["a", "b"] }, { "m.onnx": "fine" });
    expect(await it_.registry.resolve("churn", "latest")).toMatchObject({ sample });
  });
});

describe("deleting", () => {
  it("is refused while an alias points there or something says that it uses it", async () => {
    const it_ = await openRegistry();
    const { registry } = it_;
    for (const m of ["x", "y"]) await it_.register({ name: "churn" }, { m });
    await registry.aliases.set({ model: "churn", alias: "champion", version: "1", by: null, why: null });
    registry.askBeforeDeleting((model, version) =>
      version === "2" ? `deployment "${model}-live"` : undefined,
    );
    const refused = async (version: string) => await refusalOf(registry.remove("churn", version, undefined));
    expect(await refused("1")).toMatchObject({ code: "conflict", message: /alias "champion"/ });
    expect(await refused("2")).toMatchObject({
      code: "conflict",
      message: /deployment "churn-live" uses it/,
    });
    expect(await refused("3")).toMatchObject({ code: "not-found" });
    expect(await refusalOf(registry.removeModel("churn", undefined))).toMatchObject({ code: "conflict" });
    expect(it_.stored()).toHaveLength(2);
  });

  it("keeps the files that another version has as well", async () => {
    const it_ = await openRegistry();
    await it_.register({ name: "a" }, { m: "shared", own: "1" });
    await it_.register({ name: "b" }, { other: "shared" });
    await it_.registry.remove("a", "1", undefined);
    expect(it_.stored()).toHaveLength(1);
    const [file] = (await it_.registry.resolve("b", "1")).files;
    expect(readFileSync(file?.blob_path ?? "", "utf8")).toBe("shared");
  });
});

describe("an alias", () => {
  it("says for every time what the last change before it has set", async () => {
    const changes = fc.array(
      fc.record({
        alias: fc.constantFrom("champion", "challenger"),
        version: fc.constantFrom("1", "2", "3", null),
        // The clock may stand still, and may be set back.
        stepMs: fc.integer({ min: -2_000, max: 5_000 }),
      }),
      { maxLength: 20 },
    );
    let nowMs = 0;
    const it_ = await openRegistry({ now: () => new Date(nowMs) });
    let model = 0;
    await fc.assert(
      fc.asyncProperty(
        changes,
        fc.array(fc.integer({ min: -1_000, max: 60_000 }), { maxLength: 10 }),
        async (steps, times) => {
          const name = `m${model++}`;
          nowMs = Date.UTC(2026, 0, 1);
          const startMs = nowMs;
          for (let i = 0; i < 3; i++) await it_.register({ name }, { m: "x" });
          const made: { alias: string; version: string | null; atMs: number }[] = [];
          const clock: number[] = [];
          for (const { alias, version, stepMs } of steps) {
            nowMs = Math.max(startMs, nowMs + stepMs);
            clock.push(nowMs);
            const move = { model: name, alias, by: "ann", why: "a test" };
            const before = made.findLast((change) => change.alias === alias);
            const atMs = Math.max(nowMs, before?.atMs ?? 0);
            if (version === null) {
              const refused = await refusalOf(it_.registry.aliases.remove(move));
              if (before === undefined || before.version === null)
                expect(refused).toMatchObject({ code: "not-found" });
              else made.push({ alias, version, atMs });
            } else {
              await it_.registry.aliases.set({ ...move, version });
              if (before?.version !== version) made.push({ alias, version, atMs });
            }
          }
          for (const alias of ["champion", "challenger"]) {
            const moments = [...times.map((ms) => startMs + ms), ...made.map(({ atMs }) => atMs), ...clock];
            for (const at of moments) {
              const expected =
                made.findLast((change) => change.alias === alias && change.atMs <= at)?.version ?? null;
              const found = await it_.registry.aliases
                .find({ model: name, alias, at: new Date(at) })
                .then(({ version }) => version)
                .catch(() => null);
              expect(found, `${alias} at ${at - startMs} ms`).toBe(expected);
            }
            const history = await it_.registry.aliases.history({ model: name, alias, limit: 100 });
            expect(history.map(({ version }) => version).reverse()).toEqual(
              made.filter((change) => change.alias === alias).map(({ version }) => version),
            );
          }
        },
      ),
      { numRuns: 10 },
    );
  }, 60_000);

  it("tells of every change, and of none where there is none", async () => {
    const it_ = await openRegistry();
    await it_.register({ name: "churn" }, { m: "x" });
    const move = { model: "churn", alias: "champion", version: "1", by: null, why: "first" };
    await it_.registry.aliases.set(move);
    await it_.registry.aliases.set({ ...move, why: "again" });
    await it_.registry.aliases.remove(move);
    expect(await eventsOf(it_)).toEqual([
      "model.registered models/churn/versions/1",
      "alias.changed models/churn/aliases/champion",
      "alias.changed models/churn/aliases/champion",
    ]);
    expect(await refusalOf(it_.registry.aliases.set({ ...move, version: "9" }))).toMatchObject({
      code: "not-found",
    });
    expect(await refusalOf(it_.registry.version("churn", "@champion"))).toMatchObject({ code: "not-found" });
  });
});

describe("a search", () => {
  it("finds models by their own and their versions' tags and words, and versions by theirs", async () => {
    const it_ = await openRegistry();
    await it_.register(
      { name: "churn-eu", tags: { env: "prod", "a/b~c": "1" }, description: "Europe" },
      { m: "1" },
    );
    await it_.register({ name: "churn-us", tags: { env: "test" }, lineage: { run_id: "r1" } }, { m: "2" });
    await it_.register({ name: "fraud" }, { m: "3" });
    await it_.registry.changeModel("fraud", { tags: { team: "risk" } });
    const { parseSearch } = await import("../../registry/search-query.ts");
    const models = async (query: string) =>
      (
        await it_.registry.models({
          conditions: parseSearch(query, "own"),
          known: "in-any-way",
          order: [{ by: "name", direction: "up" }],
          limit: 10,
        })
      ).map(({ name }) => name);
    expect(await models("")).toEqual(["churn-eu", "churn-us", "fraud"]);
    expect(await models("name like 'churn%'")).toEqual(["churn-eu", "churn-us"]);
    expect(await models("tag.env = prod")).toEqual(["churn-eu"]);
    expect(await models("tag.env != prod")).toEqual(["churn-us", "fraud"]);
    expect(await models("tag.`a/b~c` = 1")).toEqual(["churn-eu"]);
    expect(await models("tag.team = risk")).toEqual(["fraud"]);
    expect(await models("run = r1")).toEqual(["churn-us"]);
    expect(await models("europe churn")).toEqual(["churn-eu"]);
    expect(await models("tag.env in ('test', 'prod') and name like us")).toEqual(["churn-us"]);
    expect(await models("100%' or 'a' = 'a")).toEqual([]);
  });
});
