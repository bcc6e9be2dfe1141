import { mkdirSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { importFormatOf } from "../../app/import-format.ts";
import { leeway, makeFolder, type Served, serve } from "./leeway.ts";

const folder = makeFolder();
const file = (name: string) => join(folder.path, name);
let server: Served;

beforeAll(async () => {
  server = await serve(["--data-dir", file("data"), "--log-level", "info"]);
}, 60_000);

afterAll(async () => {
  await server.stop();
  folder.remove();
});

const run = (...args: readonly string[]) => leeway([...args, "--url", server.url]);

const azure = (collection: string, id: number, data: unknown) =>
  JSON.stringify({
    specversion: "1.0",
    id: `${collection}-${id}`,
    source: "/subscriptions/s/onlineEndpoints/ep/deployments/blue",
    type: `azureml.inference.${collection}`,
    datacontenttype: "application/json",
    time: "2026-01-02T03:04:05Z",
    correlationid: `c${id}`,
    data,
  });

describe("leeway records import", { timeout: 60_000 }, () => {
  it("sends a CSV, gzipped or not, and stores it once", async () => {
    const rows = Array.from({ length: 200 }, (_, i) => `${i},2026-01-01T00:00:00Z,${i / 7},${i % 2}`);
    const text = `id,time,amount,score\n${rows.join("\n")}\n`;
    writeFileSync(file("history.csv"), text);
    writeFileSync(file("history.csv.gz"), gzipSync(text));
    const { code, stdout } = await run(
      "records",
      "import",
      "shop",
      file("history.csv"),
      "--outputs",
      "score",
    );
    expect([code, stdout]).toEqual([0, "200 records: 200 stored, 0 there already, 0 rejected\n"]);
    const again = await run(
      "records",
      "import",
      "shop",
      file("history.csv.gz"),
      file("history.csv"),
      "--outputs",
      "score",
      "--json",
    );
    expect(JSON.parse(again.stdout)).toMatchObject([{ duplicates: 200 }, { duplicates: 200 }]);
  });

  it("joins the files of Azure ML's collections, and tells what waits", async () => {
    const lines = (collection: string, name: string) =>
      [1, 2, 3].map((id) => azure(collection, id, [{ [name]: id }])).join("\n");
    writeFileSync(file("inputs.jsonl"), lines("model_inputs", "age"));
    writeFileSync(file("outputs.jsonl.gz"), gzipSync(lines("model_outputs", "p")));
    const { code, stdout } = await run(
      "records",
      "import",
      "azure",
      file("inputs.jsonl"),
      file("outputs.jsonl.gz"),
    );
    expect(code).toBe(0);
    expect(stdout).toContain("0 rejected, 3 halves of calls wait for the other half");
    expect(stdout).toContain("3 records: 3 stored, 0 there already, 0 rejected\n");
  });

  it("joins the files of KServe's logger, in JSON and CSV, at the time of the files", async () => {
    const bytes = { request: '{"instances":[{"age":31}]}', response: '{"predictions":[0.5]}' };
    const record = (side: "request" | "response", id: string) => ({
      Bytes: Buffer.from(bytes[side]).toString("base64"),
      ReqType: `org.kubeflow.serving.inference.${side}`,
      Id: id,
      InferenceService: "churn",
    });
    writeFileSync(
      file("k1-request.json"),
      JSON.stringify([record("request", "k1"), record("request", "k2")]),
    );
    writeFileSync(file("k1-response.json"), JSON.stringify(record("response", "k1")));
    const { Bytes, ReqType, Id, InferenceService } = record("response", "k2");
    const row = [Bytes, ReqType, Id, InferenceService].join(",");
    writeFileSync(file("k2-response.csv"), `bytes,reqType,id,inferenceService\n${row}\n`);
    utimesSync(file("k1-request.json"), new Date(), new Date("2026-01-02T03:04:05Z"));
    const files = ["k1-request.json", "k1-response.json", "k2-response.csv"].map(file);
    const { code, stdout } = await run("records", "import", "kserve", ...files, "--json");
    expect([code, JSON.parse(stdout)]).toMatchObject([
      0,
      [{ waiting: 2 }, { stored: 1, waiting: 0 }, { stored: 1, waiting: 0 }],
    ]);
    expect(await importFormatOf(file("k3-request.parquet"))).toBe("kserve");
    expect(await importFormatOf(file("requests.parquet"))).toBe("parquet");
    const query = 'select record_id, in_age, out_prediction, "time" from kserve order by all';
    const { stdout: rows } = await run("query", query, "--format", "json");
    expect(rows).toContain("2026-01-02");
  });

  it("joins the tables of Azure ML's first data collector by their paths", async () => {
    const added = "$aml_dc_correlation_id,$aml_dc_scoring_timestamp,$aml_model_name,$aml_model_version";
    const same = "c1,2020-08-13T15:54:16.691697,credit,7";
    mkdirSync(file("inputs/2020"), { recursive: true });
    writeFileSync(file("inputs/2020/data.csv"), `age,${added}\n31,${same}\n44,${same}\n`);
    writeFileSync(file("predictions.csv.gz"), gzipSync(`score,${added}\n0.8,${same}\n0.1,${same}\n`));
    const files = [file("inputs/2020/data.csv"), file("predictions.csv.gz")];
    const { code, stdout } = await run("records", "import", "credit", ...files, "--json");
    expect([code, JSON.parse(stdout)]).toMatchObject([0, [{ waiting: 1 }, { stored: 2, waiting: 0 }]]);
    writeFileSync(file("labels.csv"), `truth,${added}\n1,${same}\n0,${same}\n`);
    const labels = await run("labels", "import", "credit", file("labels.csv"), "--json");
    expect([labels.code, JSON.parse(labels.stdout)]).toMatchObject([0, { stored: 2 }]);
    writeFileSync(file("truth.csv"), "who,correlationid,churned\nx,c1_1,1\n");
    const args = ["truth.csv", "--format", "azureml", "--label", "churned", "--json"];
    const truth = await run("labels", "import", "credit", file(args[0] ?? ""), ...args.slice(1));
    expect([truth.code, JSON.parse(truth.stdout)]).toMatchObject([0, { stored: 1 }]);
    await vi.waitFor(
      async () => {
        const { stdout: found } = await run(
          ...["query", "select row, in_age, label from credit order by row", "--format", "csv"],
        );
        expect(found).toBe("row,in_age,label\r\n0,31,1\r\n1,44,1\r\n");
      },
      { timeout: 10_000 },
    );
    writeFileSync(file("data.csv"), `age,${added}\n31,${same}\n`);
    const unnamed = await run("records", "import", "credit", file("data.csv"));
    expect(unnamed.stderr).toContain("says neither inputs nor predictions nor labels");
  });

  it("names the lines of a SageMaker capture that are not understood", async () => {
    const part = (data: string) => ({ observedContentType: "text/csv", data, encoding: "CSV" });
    const line = (eventId: string) =>
      JSON.stringify({
        captureData: { endpointInput: part("31,Ulm"), endpointOutput: part("0.25") },
        eventMetadata: { eventId, inferenceTime: "2026-01-02T03:04:05Z" },
        eventVersion: "0",
      });
    writeFileSync(file("capture.jsonl"), [line("a"), "", line("b"), '{"captureData":{}}'].join("\n"));
    const { code, stdout } = await run(
      "records",
      "import",
      "sagemaker",
      file("capture.jsonl"),
      "--inputs",
      "age,town",
      "--outputs",
      "p",
    );
    expect([code, stdout]).toEqual([
      1,
      "3 records: 2 stored, 0 there already, 1 rejected\n  line 4: the line has no eventMetadata\n",
    ]);
    // Records are in the tables within a second or two.
    await vi.waitFor(
      async () => {
        const { stdout: found } = await run("query", "select in_age, in_town, out_p from sagemaker limit 1");
        expect(found).toContain("31");
        expect(found).toContain("Ulm");
      },
      { timeout: 20_000, interval: 500 },
    );
  });

  it("names the row of a table that is wrong, and a file that is not there before it sends any", async () => {
    writeFileSync(file("bad.csv"), "id,row,x\na,0,1\nb,-1,2\n");
    const bad = await run("records", "import", "bad", file("bad.csv"));
    expect([bad.code, bad.stdout]).toEqual([
      1,
      expect.stringContaining("2 records: 1 stored, 0 there already, 1 rejected\n  row 2: row "),
    ]);
    const none = await run("records", "import", "none", file("bad.csv"), file("nowhere.csv"));
    expect(none).toMatchObject({ code: 1, stdout: "", stderr: expect.stringContaining("nowhere.csv") });
  });

  it("sends lines as the bytes that they are, and one that is too long keeps no other back", async () => {
    const record = (id: string, text: string) => JSON.stringify({ id, inputs: { text } });
    const lines = [
      Buffer.from(`\ufeff${record("wide", "x".repeat(1_000_000))}`),
      Buffer.from(record("separators", "a\u2028b\u2029c")),
      Buffer.from(record("latin", "café"), "latin1"),
      Buffer.from(record("long", "y".repeat(33 * 1024 * 1024))),
      Buffer.from(record("last", "z")),
    ];
    writeFileSync(
      file("lines.ndjson"),
      Buffer.concat(lines.flatMap((line) => [line, Buffer.from("\r\n\n")])),
    );
    const { code, stdout } = await run("records", "import", "lines", file("lines.ndjson"), "--json");
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toEqual({
      ...{ received: 5, stored: 3, duplicates: 0, rejected: 2 },
      errors: [
        { line: 5, path: "", message: "is not UTF-8" },
        { line: 7, path: "", message: expect.stringContaining("longer than 33554432 bytes") },
      ],
    });
  });

  it("sends what is whole of a file that is cut short, and says where it ends", async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) =>
      JSON.stringify({ id: `cut-${i}`, inputs: { x: i } }),
    );
    const packed = gzipSync(lines.join("\n"));
    writeFileSync(file("cut.ndjson.gz"), packed.subarray(0, packed.length - 50));
    const { code, stderr } = await run("records", "import", "cut", file("cut.ndjson.gz"));
    const [, read] =
      /cut\.ndjson\.gz cannot be read beyond line (\d+): unexpected end of file/.exec(stderr) ?? [];
    expect([code, Number(read) > 15_000]).toEqual([2, true]);
    const again = await run("query", "select count(*) from cut", "--format", "csv", "--json");
    expect(again.stdout).toContain(read);
  });

  it("takes labels as a table", async () => {
    writeFileSync(file("labels.csv"), "id,label\n1,yes\n2,no\n");
    const { code, stdout } = await run("labels", "import", "shop", file("labels.csv"));
    expect([code, stdout]).toEqual([0, "2 labels: 2 stored, 0 there already, 0 rejected\n"]);
  });
});
