import { readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startService } from "../app/test-service.ts";
import { haveFixtures, WITHOUT_FIXTURES } from "../fixtures.ts";
import { answerOf, call, NOW, upload } from "./call-registry.ts";
import { filesWithin } from "./test-registry.ts";

type Texts = Readonly<Record<string, string>>;

const WRONG: readonly (readonly [fields: Texts, files: Texts, status: number, detail: string])[] = [
  [{}, {}, 400, "does not say which model"],
  [{ name: "churn" }, {}, 400, "no file"],
  [{ name: "../x" }, { m: "x" }, 400, "name"],
  [{ name: "churn", colour: "red" }, { m: "x" }, 400, '"colour": not known here'],
  [{ name: "churn", tag: "env" }, { m: "x" }, 400, '"tag": expected KEY=VALUE'],
  [{ name: "churn", metadata: "{" }, { m: "x" }, 400, '"metadata": expected JSON'],
  [{ name: "churn", metadata: '{"colour":1}' }, { m: "x" }, 400, "colour"],
  [{ name: "churn", metadata: "[]" }, { m: "x" }, 400, '"metadata": expected a JSON object'],
  [{ name: "churn", tags: "5" }, { m: "x" }, 400, '"tags": expected a JSON object'],
  [{ name: "churn" }, { "../../m": "x" }, 400, "leads out"],
  [{ name: "churn" }, { "/etc/passwd": "x" }, 400, "absolute"],
  [{ name: "churn" }, { m: "x", M: "y" }, 400, "cannot both be"],
  [
    { name: "churn" },
    { "m.bin": "x".repeat(5_000) },
    413,
    "larger than 4000 bytes together: raise max_model_bytes",
  ],
  [{ name: "churn" }, { a: "x".repeat(3_000), b: "x".repeat(3_000) }, 413, "max_model_bytes"],
];

describe("POST /v1/models", () => {
  it("takes a form as curl -F sends it", async () => {
    const service = await startService({ now: NOW });
    const { status, body } = await upload(
      service,
      {
        name: "churn",
        tag: "env=prod",
        property: "auc=0.9",
        run: "17",
        feature_names: "age, income",
        class_labels: '["no","yes"]',
        git: '{"commit":"abc"}',
        metadata: '{"description":"from metadata","tags":{"a":"b"}}',
      },
      { "model.bin": "a model", "folder/données 1.txt": "x" },
    );
    expect(status).toBe(201);
    expect(body).toMatchObject({
      model: "churn",
      version: "1",
      description: "from metadata",
      tags: { env: "prod", a: "b" },
      properties: { auc: "0.9" },
      lineage: { run_id: "17", git: { commit: "abc" } },
      signature: { feature_names: ["age", "income"], class_labels: ["no", "yes"] },
      files: [{ path: "folder/données 1.txt" }, { path: "model.bin", bytes: 7 }],
    });
  });

  it("says what is wrong with an upload, and keeps nothing of it", async () => {
    const service = await startService({ now: NOW, settings: { max_model_bytes: 4_000 } });
    for (const [fields, files, status, detail] of WRONG) {
      const answer = await upload(service, fields, files);
      expect(answer, detail).toMatchObject({ status, body: { detail: expect.stringContaining(detail) } });
    }
    expect(filesWithin(join(service.dataDir, "models"))).toEqual([]);
  });

  it("answers a body that is no form, or breaks off in it, and keeps nothing of it", async () => {
    const service = await startService({ now: NOW });
    const url = `${service.server().url}/v1/models`;
    const form = 'content-disposition: form-data; name="file"; filename="m.bin"';
    const whole = `--b\r\n${form}\r\n\r\nsome bytes\r\n--b--\r\n`;
    const answers = await Promise.all(
      [
        ["application/json", "{}"],
        ["multipart/form-data", "x"],
        ["multipart/form-data; boundary=b", whole.slice(0, -15)],
        ["multipart/form-data; boundary=b", ""],
        ["multipart/form-data; boundary=other", whole],
      ].map(([type = "", body = ""]) =>
        answerOf(url, { method: "POST", headers: { "content-type": type }, body }),
      ),
    );
    expect(answers.map(({ status }) => status)).toEqual([415, 415, 400, 400, 400]);
    expect(filesWithin(join(service.dataDir, "models"))).toEqual([]);
    expect((await call(service, "GET", "/v1/models")).body).toEqual({ models: [], cursor: null });
  });

  it("keeps nothing of an upload whose sender goes away", async () => {
    const service = await startService({ now: NOW });
    const sender = request(`${service.server().url}/v1/models`, {
      method: "POST",
      headers: { "content-type": "multipart/form-data; boundary=b" },
    });
    sender.on("error", () => undefined);
    sender.write('--b\r\ncontent-disposition: form-data; name="file"; filename="m.bin"\r\n\r\n');
    sender.write("x".repeat(300_000));
    const models = join(service.dataDir, "models");
    await expect.poll(() => filesWithin(models)).toHaveLength(1);
    sender.destroy();
    await expect.poll(() => filesWithin(models)).toEqual([]);
  });

  it("takes many small files, and leaves nothing of them when the sender goes away", async () => {
    const service = await startService({ now: NOW });
    const files = Object.fromEntries(
      Array.from({ length: 500 }, (_, i) => [`part/${i}`, `content ${i % 50}`]),
    );
    const models = join(service.dataDir, "models");
    const sender = request(`${service.server().url}/v1/models`, {
      method: "POST",
      headers: { "content-type": "multipart/form-data; boundary=b" },
    });
    sender.on("error", () => undefined);
    for (const [path, text] of Object.entries(files)) {
      sender.write(
        `--b\r\ncontent-disposition: form-data; name="file"; filename="${path}"\r\n\r\n${text}\r\n`,
      );
    }
    await expect.poll(() => filesWithin(models).length, { interval: 5 }).toBeGreaterThan(3);
    sender.destroy();
    await expect.poll(() => filesWithin(models), { timeout: 30_000 }).toEqual([]);
    const { status, body } = await upload(service, { name: "churn" }, files);
    expect([status, (body.files as unknown[]).length]).toEqual([201, 500]);
    expect(filesWithin(models)).toHaveLength(50);
  });

  it("tells a caller who does not read the 413 until all is sent", async () => {
    const service = await startService({ now: NOW, settings: { max_model_bytes: 100_000 } });
    const { status } = await upload(service, { name: "churn" }, { "m.bin": "x".repeat(20_000_000) });
    expect(status).toBe(413);
  });

  it("makes one version of repeats with the same Idempotency-Key", async () => {
    const service = await startService({ now: NOW });
    const key = { "idempotency-key": "k-1" };
    const answers = [];
    for (let i = 0; i < 3; i++) answers.push(await upload(service, { name: "churn" }, { m: "x" }, key));
    expect(answers.map(({ status, body }) => [status, body.version])).toEqual([
      [201, "1"],
      [200, "1"],
      [200, "1"],
    ]);
    expect((await upload(service, { name: "churn" }, { m: "y" }, key)).status).toBe(409);
  });

  it("needs a key that may change things where keys are, and says who registered", async () => {
    const key = (name: string) => `key-of-${name}-that-is-long-enough`;
    const service = await startService({
      now: NOW,
      settings: {
        api_keys: [
          { name: "ann", role: "editor", key: key("ann") },
          { name: "vic", role: "viewer", key: key("vic") },
        ],
      },
    });
    const as = (name: string) => ({ authorization: `Bearer ${key(name)}` });
    expect((await upload(service, { name: "churn" }, { m: "x" })).status).toBe(401);
    expect((await upload(service, { name: "churn" }, { m: "x" }, as("vic"))).status).toBe(403);
    const { status, body } = await upload(service, { name: "churn" }, { m: "x" }, as("ann"));
    expect([status, body.registered_by]).toEqual([201, "ann"]);
    const claimed = await upload(service, { name: "churn", registered_by: "bob" }, { m: "x" }, as("ann"));
    expect(claimed.body.registered_by).toBe("bob (key ann)");
    const mlflow = await answerOf(`${service.server().url}/api/2.0/mlflow/registered-models/get?name=churn`);
    expect([mlflow.status, mlflow.body.error_code]).toEqual([401, "UNAUTHENTICATED"]);
    const asMlflow = (call: string, body: object) =>
      answerOf(`${service.server().url}/api/2.0/mlflow/registered-models/${call}`, {
        method: "POST",
        headers: as("vic"),
        body: JSON.stringify(body),
      });
    expect((await asMlflow("get-latest-versions", { name: "churn" })).status).toBe(200);
    const refused = await asMlflow("set-tag", { name: "churn", key: "k", value: "v" });
    expect([refused.status, refused.body.error_code]).toEqual([403, "PERMISSION_DENIED"]);
  });

  it.skipIf(!haveFixtures)(
    `reads the signature of an ONNX file, and refuses half of one (${WITHOUT_FIXTURES})`,
    async () => {
      const service = await startService({ now: NOW });
      const file = readFileSync(
        join(process.env.LEEWAY_FIXTURES ?? "", "models/sklearn/elec2_rf_zipmap.onnx"),
      );
      const form = (bytes: Uint8Array<ArrayBuffer>) => {
        const made = new FormData();
        made.append("name", "elec2");
        made.append("feature_names", "date,day,period,nswprice,nswdemand,transfer");
        made.append("file", new Blob([bytes]), "rf.onnx");
        return { method: "POST", body: made };
      };
      const url = `${service.server().url}/v1/models`;
      const { body } = await answerOf(url, form(new Uint8Array(file)));
      expect(body).toMatchObject({
        main_file: "rf.onnx",
        signature: {
          inputs: [{ name: "X", datatype: "FP32", shape: [-1, 6] }],
          class_labels: ["DOWN", "UP"],
          feature_names: ["date", "day", "period", "nswprice", "nswdemand", "transfer"],
        },
      });
      const half = await answerOf(url, form(new Uint8Array(file.subarray(0, file.length / 2))));
      expect(half.body).toMatchObject({
        code: "invalid-input",
        detail: expect.stringContaining("rf.onnx cannot be served"),
      });
      expect(await service.get("/v1/models/elec2")).toMatchObject({ versions: 1 });
    },
  );
});

describe("models and versions", () => {
  it("are listed by pages, and a model known only by its records is among them", async () => {
    const service = await startService({ now: NOW });
    await service.post("/v1/models/collected/records", [{ id: "1", inputs: { x: 1 } }]);
    for (const name of ["a", "b", "c", "collected"]) await upload(service, { name });
    await service.post("/v1/models/only-records/records", [{ id: "1", inputs: { x: 1 } }]);
    const names: unknown[] = [];
    for (let cursor: unknown = ""; cursor !== null; ) {
      const query = new URLSearchParams({ limit: "2", ...(cursor === "" ? {} : { cursor: String(cursor) }) });
      const page = await service.get(`/v1/models?${query}`);
      names.push(...(page.models as { name: string; known_by: string[] }[]).map((m) => [m.name, m.known_by]));
      cursor = page.cursor;
    }
    expect(names).toEqual([
      ["a", ["registry"]],
      ["b", ["registry"]],
      ["c", ["registry"]],
      ["collected", ["registry", "records"]],
      ["only-records", ["records"]],
    ]);
    expect((await call(service, "GET", "/v1/models?cursor=nonsense")).status).toBe(400);
    expect((await call(service, "GET", "/v1/models?q=name%20%3D%20'x")).status).toBe(400);
    expect((await call(service, "GET", "/v1/models/only-records/versions/1")).status).toBe(404);
  });

  it("change their description and tags, and nothing else", async () => {
    const service = await startService({ now: NOW });
    await upload(service, { name: "churn", tag: "env=test", property: "auc=0.9" });
    const changed = await call(service, "PATCH", "/v1/models/churn/versions/1", {
      description: "better",
      tags: { env: null, team: "growth" },
    });
    expect(changed.body).toMatchObject({
      description: "better",
      tags: { team: "growth" },
      properties: { auc: "0.9" },
    });
    expect((await call(service, "PATCH", "/v1/models/churn/versions/1", { properties: {} })).status).toBe(
      400,
    );
    const model = await call(service, "PATCH", "/v1/models/churn", { tags: { tier: "1" } });
    expect(model.body).toMatchObject({ name: "churn", tags: { tier: "1" }, description: "" });
    expect((await call(service, "PATCH", "/v1/models/nobody", {})).status).toBe(404);
  });

  it("are named by number, alias or latest", async () => {
    const service = await startService({ now: NOW });
    for (let i = 0; i < 2; i++) await upload(service, { name: "churn" });
    await service.put("/v1/models/churn/aliases/champion", { version: 1, why: "first" });
    const versionAt = async (reference: string) =>
      (await call(service, "GET", `/v1/models/churn/versions/${reference}`)).body.version;
    expect(await Promise.all(["1", "latest", "@champion", "%40champion"].map(versionAt))).toEqual([
      "1",
      "2",
      "1",
      "1",
    ]);
    expect((await call(service, "GET", "/v1/models/churn/versions/@nobody")).status).toBe(404);
    expect((await call(service, "GET", "/v1/models/churn/versions/v1")).status).toBe(400);
  });
});

describe("aliases over HTTP", () => {
  it("say what was live at a time, and by whom and why it changed", async () => {
    const service = await startService({ now: NOW });
    for (let i = 0; i < 2; i++) await upload(service, { name: "churn" });
    const path = "/v1/models/churn/aliases/champion";
    const at = (seconds: number) => new Date(NOW.getTime() + seconds * 1_000);
    await service.put(path, { version: "1", why: "the first" });
    service.setNow(at(60));
    await service.put(path, { version: 2, why: "better" });
    service.setNow(at(120));
    const why = encodeURIComponent("no longer");
    expect((await call(service, "DELETE", `${path}?why=${why}`)).status).toBe(204);
    const live = async (when: Date) =>
      (await call(service, "GET", `${path}?at=${when.toISOString()}`)).body.version;
    expect(await live(at(-1))).toBeUndefined();
    expect(await live(at(0))).toBe("1");
    expect(await live(at(59))).toBe("1");
    expect(await live(at(60))).toBe("2");
    expect(await live(at(120))).toBeUndefined();
    expect((await call(service, "GET", path)).status).toBe(404);
    const first = await service.get("/v1/models/churn/alias-history?limit=2");
    expect(first).toMatchObject({
      changes: [
        { version: null, previous: "2", why: "no longer", changed_at: at(120).toISOString() },
        { version: "2", previous: "1", why: "better" },
      ],
    });
    const second = await service.get(`/v1/models/churn/alias-history?limit=2&cursor=${first.cursor}`);
    expect(second).toMatchObject({
      changes: [{ version: "1", previous: null, why: "the first" }],
      cursor: null,
    });
    expect(await service.get("/v1/models/churn/aliases")).toEqual({ aliases: [] });
    const sql = `select v.version, epoch_ms(a."to") - epoch_ms(a."from") as ms
      from results.versions v join results.aliases a using (model, version) order by 1`;
    expect((await service.post("/v1/query", { sql })).rows).toEqual([
      ["1", 60_000],
      ["2", 60_000],
    ]);
  });

  it("cannot have a name that is a version's, nor point to what is none", async () => {
    const service = await startService({ now: NOW });
    await upload(service, { name: "churn" });
    for (const [alias, body] of [
      ["latest", { version: 1 }],
      ["v2", { version: 1 }],
      ["3", { version: 1 }],
      ["ok", { version: 0 }],
      ["ok", { version: "@other" }],
      ["ok", {}],
    ] as const) {
      expect((await call(service, "PUT", `/v1/models/churn/aliases/${alias}`, body)).status, alias).toBe(400);
    }
  });
});

describe("deleting over HTTP", () => {
  it("is refused while an alias points there, and takes the files away after", async () => {
    const service = await startService({ now: NOW });
    await upload(service, { name: "churn" });
    await service.put("/v1/models/churn/aliases/champion", { version: 1 });
    expect((await call(service, "DELETE", "/v1/models/churn/versions/1")).status).toBe(409);
    expect((await call(service, "DELETE", "/v1/models/churn")).status).toBe(409);
    await call(service, "DELETE", "/v1/models/churn/aliases/champion");
    expect((await call(service, "DELETE", "/v1/models/churn/versions/1")).status).toBe(204);
    expect((await call(service, "DELETE", "/v1/models/churn/versions/1")).status).toBe(404);
    expect(filesWithin(join(service.dataDir, "models"))).toEqual([]);
    expect((await call(service, "DELETE", "/v1/models/churn")).status).toBe(204);
    expect(await service.get("/v1/models")).toMatchObject({ models: [] });
  });
});

it("names the features of captured calls that come without, as the version was registered", async () => {
  const service = await startService({ now: NOW });
  await upload(service, { name: "churn", feature_names: "age,income" });
  const send = async (kind: "request" | "response", body: unknown) =>
    fetch(`${service.server().url}/v1/capture/kserve`, {
      method: "POST",
      headers: {
        "ce-specversion": "1.0",
        "ce-type": `org.kubeflow.serving.inference.${kind}`,
        "ce-source": "http://localhost:9081/",
        "ce-id": "r-1",
        "ce-time": NOW.toISOString(),
        "ce-inferenceservicename": "churn",
        "ce-namespace": "default",
        "content-type": "application/json",
      },
      body: JSON.stringify(body),
    });
  expect((await send("request", { instances: [[41, 2_000]] })).status).toBe(202);
  expect((await send("response", { predictions: [0.7] })).status).toBe(202);
  const rows = await service.post("/v1/query", { sql: "select in_age, in_income from churn" });
  expect(rows.rows).toEqual([[41, 2_000]]);
});
