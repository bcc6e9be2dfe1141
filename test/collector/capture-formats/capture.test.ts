import { describe, expect, it } from "vitest";
import { parquetOf, send, startCapture } from "./capture-server.ts";

const jsonLines = { "content-type": "application/x-ndjson" };

/** An event as KServe's logger sends it. */
function half(side: "request" | "response", id: string, more: Readonly<Record<string, string>> = {}) {
  return {
    body: side === "request" ? `{"instances":[{"age":${id.length}}]}` : '{"predictions":[0.5]}',
    headers: {
      "ce-specversion": "1.0",
      "ce-type": `org.kubeflow.serving.inference.${side}`,
      "ce-id": id,
      "ce-source": "http://localhost:9081/",
      "ce-time": side === "request" ? "2026-01-02T03:04:05Z" : "2026-01-02T03:04:05.020Z",
      "ce-inferenceservicename": "churn",
      "ce-component": "predictor",
      "content-type": "application/json",
      ...more,
    },
  };
}

describe("captured calls", () => {
  it.each([
    ["request", "response"],
    ["response", "request"],
  ] as const)("a %s, then the %s, become one record", async (first, second) => {
    const { api, collector, database } = await startCapture();
    const one = half(first, "abc");
    const kept = await send(api, "/v1/capture/kserve", one.body, one.headers);
    expect(kept).toMatchObject({ status: 202, answer: { events: 1, received: 0, waiting: 1 } });
    const other = half(second, "abc");
    const done = await send(api, "/v1/capture/kserve", other.body, other.headers);
    expect(done).toMatchObject({ status: 202, answer: { events: 1, stored: 1, waiting: 0 } });
    await collector.flush();
    const rows = await database.all(
      "select record_id, in_age, out_prediction, status, latency_ms, time from views.churn",
    );
    expect(rows).toEqual([
      {
        record_id: "abc",
        in_age: 3,
        out_prediction: 0.5,
        status: 200,
        latency_ms: 20,
        time: new Date("2026-01-02T03:04:05Z"),
      },
    ]);
    expect(await database.all("select side, body from capture_halves")).toEqual([
      { side: "both", body: null },
    ]);
  });

  it("a half that comes again is counted as repeated, before and after the other", async () => {
    const { api } = await startCapture();
    const answers = [];
    for (const side of ["request", "request", "response", "response", "request"] as const) {
      const { body, headers } = half(side, "abc");
      answers.push((await send(api, "/v1/capture/kserve", body, headers)).answer);
    }
    expect(answers.map(({ stored, waiting, repeated }) => [stored, waiting, repeated])).toEqual([
      [0, 1, 0],
      [0, 0, 1],
      [1, 0, 0],
      [0, 0, 1],
      [0, 0, 1],
    ]);
  });

  it.each(["one by one", "at once"])(
    "a call that failed is a record, and its retry under the same id another: %s",
    async (sent) => {
      const { api, collector, database } = await startCapture();
      const failure = { "ce-statuscode": "503" };
      const halves = [
        half("request", "abc"),
        half("response", "abc", failure),
        half("request", "abc"),
        half("request", "abc"),
        half("response", "abc"),
        half("response", "abc"),
      ];
      const sending = halves.map(
        ({ body, headers }) =>
          () =>
            send(api, "/v1/capture/kserve", body, headers),
      );
      const answers = sent === "at once" ? await Promise.all(sending.map((each) => each())) : [];
      if (sent === "one by one") for (const each of sending) answers.push(await each());
      expect(answers.reduce((sum, { answer }) => sum + Number(answer.stored), 0)).toBe(2);
      expect(answers.reduce((sum, { answer }) => sum + Number(answer.repeated), 0)).toBe(2);
      await collector.flush();
      expect(
        await database.all("select record_id, status, out_prediction from views.churn order by status"),
      ).toEqual([
        { record_id: "abc", status: 200, out_prediction: 0.5 },
        { record_id: "abc", status: 503, out_prediction: null },
      ]);
      expect(await database.all("select side from capture_halves")).toEqual([{ side: "both" }]);
    },
  );

  it("many halves at once, in any order, each find their other half", async () => {
    const { api, collector, database } = await startCapture();
    const halves = Array.from({ length: 100 }, (_, i) => [
      half("request", `r${i}`),
      half("response", `r${i}`),
    ])
      .flat()
      .sort((a, b) => (a.headers["ce-id"].slice(1) + a.body < b.headers["ce-id"].slice(1) + b.body ? -1 : 1));
    const answers = await Promise.all(
      halves.map(({ body, headers }) => send(api, "/v1/capture/kserve", body, headers)),
    );
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([202]));
    expect(answers.reduce((sum, { answer }) => sum + Number(answer.stored), 0)).toBe(100);
    await collector.flush();
    expect(
      await database.all("select count(*) as n, count(out_prediction) as answered from views.churn"),
    ).toEqual([{ n: 100, answered: 100 }]);
    expect(await database.all("select count(*) as n from capture_halves where side <> 'both'")).toEqual([
      { n: 0 },
    ]);
  });

  it("a half outlives the process, and the other half finds it", async () => {
    const first = await startCapture();
    const request = half("request", "abc");
    await send(first.api, "/v1/capture/kserve", request.body, request.headers);
    await first.stop();
    const second = await startCapture({ dataDir: first.dataDir });
    const response = half("response", "abc");
    const { answer } = await send(second.api, "/v1/capture/kserve", response.body, response.headers);
    expect(answer).toMatchObject({ stored: 1, waiting: 0 });
  });

  it("a half that waits too long is given up and counted", async () => {
    let now = new Date("2026-01-02T04:00:00Z");
    const { api, intake, counts } = await startCapture({ now: () => now });
    for (const [side, id] of [
      ["request", "a"],
      ["request", "b"],
      ["response", "b"],
      ["response", "c"],
    ] as const) {
      const { body, headers } = half(side, id);
      await send(api, "/v1/capture/kserve", body, headers);
    }
    now = new Date("2026-01-02T04:59:59Z");
    await intake.tick();
    expect(counts.leeway_capture_waiting_halves).toBe(2);
    now = new Date("2026-01-02T05:00:01Z");
    await intake.tick();
    expect(counts).toMatchObject({
      leeway_capture_waiting_halves: 0,
      "leeway_capture_expired_total{churn,request}": 1,
      "leeway_capture_expired_total{churn,response}": 1,
    });
    const late = half("response", "a");
    expect((await send(api, "/v1/capture/kserve", late.body, late.headers)).answer).toMatchObject({
      waiting: 1,
    });
  });

  it("more halves than may wait are refused, and the other halves are not", async () => {
    const { api } = await startCapture({ mostBytes: 100 });
    const first = half("request", "a");
    expect((await send(api, "/v1/capture/kserve", first.body, first.headers)).status).toBe(202);
    const second = half("request", "b");
    const refused = await send(api, "/v1/capture/kserve", second.body, second.headers);
    expect(refused.status).toBe(429);
    expect(refused.answer.detail).toMatch(/wait for their other half, of 100 that may/);
    const answer = half("response", "a");
    expect((await send(api, "/v1/capture/kserve", answer.body, answer.headers)).answer).toMatchObject({
      stored: 1,
    });
    expect((await send(api, "/v1/capture/kserve", second.body, second.headers)).status).toBe(202);
  });

  it("what is not understood is named, and keeps nothing else back", async () => {
    const { api } = await startCapture();
    const lines = [
      '{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"id":"x","inputs":{"a":1}}}',
      "no json",
      '{"specversion":"1.0","id":"2","source":"s","type":"t","data":[{"inputs":{"a":1}},{"inputs":3}]}',
      '{"specversion":"1.0","id":"3","source":"s","type":"io.seldon.serving.inference.outlier","data":{}}',
      '{"specversion":"1.0","id":"4","source":"s","type":"t","data":{"id":"x","label":true}}',
    ];
    const { status, answer } = await send(api, "/v1/events-in?model=m", lines.join("\n"), jsonLines);
    expect(status).toBe(202);
    expect(answer).toMatchObject({ events: 5, stored: 3, rejected: 2, ignored: 1, waiting: 0 });
    expect(answer.errors).toMatchObject([
      { index: 1, path: "" },
      { index: 2, path: "inputs" },
    ]);
  });

  it("no name, or none that may be, stores nothing", async () => {
    const { api } = await startCapture();
    const { body, headers } = half("request", "abc", { "ce-inferenceservicename": "a b/c" });
    const { answer } = await send(api, "/v1/capture/kserve", body, headers);
    expect(answer).toMatchObject({ rejected: 1, waiting: 0 });
    expect(await send(api, "/v1/capture/sagemaker", "{}", jsonLines)).toMatchObject({
      answer: { rejected: 1, errors: [{ message: expect.stringContaining("?model=") }] },
    });
    expect((await send(api, "/v1/capture/sagemaker?model=..%2F", "{}", jsonLines)).status).toBe(400);
  });

  it("SageMaker's capture and its ground truth meet", async () => {
    const { api, collector, database } = await startCapture();
    const part = (data: string) => ({ observedContentType: "text/csv", data, encoding: "CSV" });
    const capture = {
      captureData: { endpointInput: part("31,Ulm"), endpointOutput: part("0.25") },
      eventMetadata: { eventId: "e1", inferenceTime: "2026-01-02T03:04:05Z" },
    };
    const truth = { groundTruthData: { data: "1", encoding: "CSV" }, eventMetadata: { eventId: "e1" } };
    const body = [capture, truth].map((line) => JSON.stringify(line)).join("\n");
    const path = "/v1/capture/sagemaker?model=churn&inputs=age,town&outputs=p";
    expect((await send(api, path, body, jsonLines)).answer).toMatchObject({ events: 2, stored: 2 });
    expect((await send(api, path, body, jsonLines)).answer).toMatchObject({ events: 2, duplicates: 2 });
    await collector.flush();
    expect(await database.all("select in_age, in_town, out_p, label from views.churn")).toEqual([
      { in_age: 31, in_town: "Ulm", out_p: 0.25, label: 1 },
    ]);
  });

  it("files of KServe's logger in Parquet meet the same way, and no other Parquet is taken", async () => {
    const { api, collector, database, dataDir } = await startCapture();
    const file = (side: string, body: string) =>
      parquetOf(
        database,
        dataDir,
        `select null::varchar as url, '${body}'::blob as bytes, 'application/json' as content_type,
           'org.kubeflow.serving.inference.${side}' as req_type, 'k1' as id, 'churn' as inference_service,
           'shop' as namespace, 'predictor' as component, 'canary' as endpoint,
           map {'X-A': ['b']} as metadata, false as tls_skip_verify`,
      );
    const headers = { "content-type": "application/vnd.apache.parquet" };
    const at = "/v1/capture/kserve?at=2026-01-02T03:04:05Z";
    const asked = await file("request", '{"instances":[{"town":"K\\xC3\\xB6ln"}]}');
    expect((await send(api, at, asked, headers)).answer).toMatchObject({ events: 1, waiting: 1 });
    const answered = await file("response", '{"predictions":[0.5]}');
    expect((await send(api, at, answered, headers)).answer).toMatchObject({ stored: 1, waiting: 0 });
    await collector.flush();
    expect(
      await database.all("select record_id, in_town, out_prediction, deployment, time from views.churn"),
    ).toEqual([
      {
        ...{ record_id: "k1", in_town: "Köln", out_prediction: 0.5, deployment: "canary" },
        time: new Date("2026-01-02T03:04:05Z"),
      },
    ]);
    const other = await parquetOf(database, dataDir, "select 1 as id, 2 as age");
    expect(await send(api, at, other, headers)).toMatchObject({ status: 400 });
  });

  it("Azure ML's inputs and outputs, a file each, meet row by row", async () => {
    const { api, collector, database } = await startCapture();
    const line = (type: string, data: unknown) =>
      JSON.stringify({
        specversion: "1.0",
        id: type,
        source: "/subscriptions/s/onlineEndpoints/churn/deployments/blue",
        type: `azureml.inference.${type}`,
        datacontenttype: "application/json",
        time: "2026-01-02T03:04:05Z",
        correlationid: "c1",
        data,
      });
    const outputs = line("model_outputs", [{ p: 0.1 }, { p: 0.2 }]);
    const inputs = line("model_inputs", [{ age: 1 }, { age: 2 }]);
    await send(api, "/v1/capture/azureml", outputs, jsonLines);
    expect((await send(api, "/v1/capture/azureml", inputs, jsonLines)).answer).toMatchObject({ stored: 2 });
    await collector.flush();
    expect(
      await database.all("select record_id, row, in_age, out_p, deployment from views.churn order by row"),
    ).toEqual([
      { record_id: "c1", row: 0, in_age: 1, out_p: 0.1, deployment: "blue" },
      { record_id: "c1", row: 1, in_age: 2, out_p: 0.2, deployment: "blue" },
    ]);
  });

  it("Azure ML's ground truth, in Parquet, CSV and lines, finds the rows of its calls", async () => {
    const { api, collector, database, dataDir } = await startCapture();
    await send(
      api,
      "/v1/models/credit/records",
      JSON.stringify([0, 1, 2, 3].map((row) => ({ id: "c1", row, inputs: { x: row } }))),
      { "content-type": "application/json" },
    );
    const at = "/v1/capture/azureml?model=credit&collection=labels";
    const file = await parquetOf(
      database,
      dataDir,
      "select 'c1_1' as correlation_id, true as actual, 'x' as note",
    );
    const parquet = { "content-type": "application/vnd.apache.parquet" };
    expect((await send(api, `${at}&label=actual`, file, parquet)).answer).toMatchObject({ stored: 1 });
    const csv = await send(api, at, "correlationid,truth\nc1_2,true\nc1_3,\n", {
      "content-type": "text/csv",
    });
    expect(csv.answer).toMatchObject({ events: 2, stored: 1, ignored: 1 });
    const line = await send(api, at, '{"correlationid":"c1_0","truth":false}', jsonLines);
    expect(line.answer).toMatchObject({ stored: 1 });
    await collector.flush();
    expect(await database.all("select row, label from views.credit order by row")).toEqual([
      { row: 0, label: false },
      { row: 1, label: true },
      { row: 2, label: true },
      { row: 3, label: null },
    ]);
    const other = await parquetOf(database, dataDir, "select 1 as id");
    expect((await send(api, at, other, parquet)).answer).toMatchObject({
      detail: expect.stringMatching(
        /none of ground truth as Azure ML joins it: it has no column correlationid/,
      ),
    });
  });

  it("a row's own id, in an output or input, is what its truth is known by", async () => {
    const { api, collector, database } = await startCapture();
    const at = "/v1/capture/kserve?id=order";
    const request = half("request", "k1");
    await send(api, at, '{"instances":[{"age":31,"order":"o-1"},{"age":44,"order":"o-2"}]}', request.headers);
    const response = half("response", "k1");
    const { answer } = await send(api, at, '{"predictions":[0.8,0.3]}', response.headers);
    expect(answer).toMatchObject({ stored: 2, notes: [] });
    await send(api, "/v1/models/churn/labels", '[{"id":"o-2","label":1}]', {
      "content-type": "application/json",
    });
    await collector.flush();
    expect(
      await database.all("select * exclude (time, received_at) from views.churn order by 1"),
    ).toMatchObject([
      { record_id: "o-1", row: 0, in_age: 31, out_prediction: 0.8, label: null },
      { record_id: "o-2", row: 0, in_age: 44, out_prediction: 0.3, label: 1 },
    ]);
    expect(await database.all("select name from model_columns order by 1")).toEqual([
      { name: "age" },
      { name: "prediction" },
    ]);
  });

  it("a batch of CloudEvents goes to the records of the model in the path", async () => {
    const { api } = await startCapture();
    const events = [{ specversion: "1.0", id: "1", source: "s", type: "t", data: { inputs: { a: 1 } } }];
    const batch = { "content-type": "application/cloudevents-batch+json; charset=utf-8" };
    const { answer } = await send(api, "/v1/models/m/records", JSON.stringify(events), batch);
    expect(answer).toMatchObject({ events: 1, stored: 1 });
    const headers = { "content-type": "application/json", "ce-specversion": "1.0", "ce-type": "t" };
    const binary = { ...headers, "ce-id": "2", "ce-source": "s" };
    const { answer: second } = await send(api, "/v1/models/m/records", '{"inputs":{"a":2}}', binary);
    expect(second).toMatchObject({ events: 1, stored: 1 });
  });
});
