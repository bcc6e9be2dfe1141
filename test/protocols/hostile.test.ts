import { describe, expect, it } from "vitest";
import { decodeExchange } from "../../protocols/decode.ts";
import { writeJson } from "../../protocols/json.ts";
import { bytesOf, hexDigest } from "./payload.ts";

function reasonOf(path: string, body: Uint8Array | string, headers: Readonly<Record<string, string>> = {}) {
  const request = { headers, body: typeof body === "string" ? bytesOf(body) : body };
  const decoded = decodeExchange({ method: "POST", path, request }, { digest: hexDigest });
  return decoded.outcome === "decoded" ? "decoded" : decoded.reason;
}

function v2(tensor: string): string {
  return `{"inputs":[${tensor}]}`;
}

const V2 = "/v2/models/m/infer";
const V1 = "/v1/models/m:predict";
const NESTED = "[".repeat(1_000_000) + "]".repeat(1_000_000);

describe("payloads that claim or nest more than they may", () => {
  it.each([
    {
      says: "a shape of 2^64 elements",
      path: V2,
      body: v2('{"name":"x","shape":[4294967296,4294967296],"datatype":"FP32","data":[1]}'),
      reason: /tensor "x" claims 18446744073709552000 elements by its shape, and the payload has room for 86/,
    },
    {
      says: "a batch of 10^15 empty instances",
      path: V2,
      body: v2('{"name":"x","shape":[1000000000000000,0],"datatype":"FP32","data":[]}'),
      reason: /1000000000000000 instances, and one request may hold 100000/,
    },
    {
      says: "a shape with a negative length",
      path: V2,
      body: v2('{"name":"x","shape":[-1],"datatype":"FP32","data":[1]}'),
      reason: /shape of tensor "x" is no list of whole numbers from 0/,
    },
    {
      says: "more data than its shape",
      path: V2,
      body: v2('{"name":"x","shape":[1],"datatype":"FP32","data":[[1,2]]}'),
      reason: /tensor "x" has more elements than the 1 of its shape/,
    },
    {
      says: "less data than its shape",
      path: V2,
      body: v2('{"name":"x","shape":[3],"datatype":"FP32","data":[1,2]}'),
      reason: /tensor "x" has 2 elements and a shape of 3/,
    },
    {
      says: "a value beyond its datatype",
      path: V2,
      body: v2('{"name":"x","shape":[1],"datatype":"UINT64","data":[18446744073709551616]}'),
      reason: /tensor "x" of UINT64 holds 18446744073709551616/,
    },
    {
      says: "a datatype nobody knows",
      path: V2,
      body: v2('{"name":"x","shape":[1],"datatype":"toString","data":[1]}'),
      reason: /tensor "x" has no datatype that is known: toString/,
    },
    {
      says: "tensors that disagree on the batch",
      path: V2,
      body: v2(
        '{"name":"x","shape":[2],"datatype":"INT8","data":[1,2]},{"name":"y","shape":[3],"datatype":"INT8","data":[1,2,3]}',
      ),
      reason: /the inputs disagree on the number of instances: 2, 3/,
    },
    {
      says: "two tensors of one name",
      path: V2,
      body: v2(
        '{"name":"x","shape":[1],"datatype":"INT8","data":[1]},{"name":"x","shape":[1],"datatype":"INT8","data":[1]}',
      ),
      reason: /two columns are called "x"/,
    },
    {
      says: "binary data that is not there",
      path: V2,
      body: v2('{"name":"x","shape":[1],"datatype":"INT8","parameters":{"binary_data_size":1000000000000}}'),
      reason: /tensor "x" claims 1000000000000 binary bytes and 0 are left/,
    },
    {
      says: "JSON nested a million deep",
      path: "/predict",
      body: NESTED,
      reason: /the JSON is nested more than 64 levels deep/,
    },
    {
      says: "JSON nested a million deep that is never closed",
      path: V1,
      body: `{"instances":${"[".repeat(1_000_000)}`,
      reason: /nested more than 64 levels/,
    },
    {
      says: "a column name of 10 kB",
      path: "/predict",
      body: `{"${"n".repeat(10_000)}":1}`,
      reason: /a column name of 10000 characters, and 256 are allowed/,
    },
    {
      says: "more rows than may be",
      path: "/predict",
      body: `[${"{},".repeat(100_000)}{}]`,
      reason: /100001 instances, and one request may hold 100000/,
    },
    {
      says: "a value for each of many rows from few bytes",
      path: V1,
      body: `{"inputs":{"x":[${"1,".repeat(49_999)}1],${Array.from({ length: 100 }, (_, at) => `"s${at}":1`).join()}}}`,
      reason: /more than the 2000000 values that one request may hold/,
    },
    {
      says: "columns of different length",
      path: V1,
      body: '{"inputs":{"x":[1,2],"y":[1]}}',
      reason: /the columns differ in length: 2, 1/,
    },
    {
      says: "both forms of V1",
      path: V1,
      body: '{"inputs":[1],"instances":[1]}',
      reason: /expected exactly one of instances and inputs/,
    },
    {
      says: "two forms of MLflow",
      path: "/invocations",
      body: '{"dataframe_split":{},"instances":[1]}',
      reason: /expected exactly one of .*, found dataframe_split, instances/,
    },
    {
      says: "a line of a table that is too short",
      path: "/invocations",
      body: '{"dataframe_split":{"columns":["a","b"],"data":[[1,2],[3]]}}',
      reason: /row 1 has 1 values and there are 2 columns/,
    },
    {
      says: "text that is not UTF-8",
      path: "/predict",
      body: Uint8Array.of(0x22, 0xff, 0x22),
      reason: /not UTF-8/,
    },
    { says: "nothing", path: "/predict", body: "", reason: /not JSON/ },
  ])("$says", ({ path, body, reason }) => {
    expect(reasonOf(path, body)).toMatch(reason);
  });

  it("a body beyond the limit is not looked at", () => {
    expect(reasonOf("/predict", new Uint8Array(16 * 1024 * 1024 + 1))).toMatch(
      /16777217 bytes and at most 16777216/,
    );
  });

  it.each([
    { header: "-1", reason: /Inference-Header-Content-Length is -1/ },
    { header: "99", reason: /Inference-Header-Content-Length is 99 and the body has 4 bytes/ },
    { header: "0", reason: /a raw binary request/ },
  ])("a length of the JSON of $header", ({ header, reason }) => {
    expect(reasonOf(V2, '"ab"', { "inference-header-content-length": header })).toMatch(reason);
  });

  it("bytes behind the last tensor", () => {
    expect(reasonOf(V2, '{"inputs":[]}rest', { "inference-header-content-length": "13" })).toMatch(
      /4 bytes belong to no tensor/,
    );
  });
});

describe("CSV", () => {
  it.each([
    { csv: "a,b\n1\n", reason: /line 2 of the CSV has 1 cells and the first has 2/ },
    { csv: 'a,b\n"1,2\n', reason: /a quote in the CSV is not closed/ },
    { csv: 'a,b\n"1"2,3\n', reason: /a quoted cell of the CSV goes on after its quote/ },
    { csv: "a,a\n1,2\n", reason: /two columns are called "a"/ },
    { csv: "\n\n", reason: /the CSV has no line/ },
  ])("$csv is refused", ({ csv, reason }) => {
    expect(reasonOf("/invocations", csv, { "content-type": "text/csv" })).toMatch(reason);
  });
});

describe("names that mean something to JavaScript", () => {
  it.each(["__proto__", "constructor", "toString", "hasOwnProperty"])("%s is a column like any", (name) => {
    const bodies = [
      `{"${name}":1}`,
      `[{"${name}":1}]`,
      `{"dataframe_split":{"columns":["${name}"],"data":[[1]]}}`,
      `{"inputs":{"${name}":[1]}}`,
      `{"inputs":[{"name":"${name}","shape":[1],"datatype":"INT8","data":[1]}]}`,
      `{"${name}":9007199254740993}`,
    ];
    const written = bodies.map((body) => {
      const request = { headers: {}, body: bytesOf(body) };
      const decoded = decodeExchange({ method: "POST", path: "/score", request }, { digest: hexDigest });
      return decoded.outcome === "decoded" ? writeJson(decoded.rows[0]?.inputs ?? null) : decoded.reason;
    });
    const small = `{"${name}":1}`;
    expect(written).toEqual([small, small, small, small, small, `{"${name}":9007199254740993}`]);
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});
