import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Call, Payload } from "../../../collector/sidecar/call.ts";
import { decodeCall, decodeOptions } from "../../../collector/sidecar/decode-call.ts";
import { NumericCalls } from "../../../collector/sidecar/numeric-call.ts";
import { mutate, randomFrom } from "../../protocols/mutate.ts";

const READING = decodeOptions();

const PAYLOADS = Number(process.env.LEEWAY_FUZZ_PAYLOADS ?? 20_000);
const V2 = "/v2/models/churn/infer";
const V1 = "/v1/models/churn:predict";
const ANSWER =
  '{"model_name":"churn","model_version":"3","outputs":[{"name":"p","shape":[1,2],"datatype":"FP32","data":[0.25,0.75]}]}';

function payloadOf(body: Uint8Array): Payload {
  return { state: "whole", type: "application/json", encoding: undefined, headerLength: undefined, body };
}

function callOf(request: string | Uint8Array, response: string | Uint8Array, path: string): Call {
  return {
    ...{ id: "a", idState: "settled", timeMs: 0, latencyMs: 1, status: 200, path },
    request: payloadOf(Buffer.from(request)),
    response: payloadOf(Buffer.from(response)),
  };
}

/** What is recorded of a call by the quick way; the long way has to record the same. Undefined when there is no quick way. */
function recorded(numericCalls: NumericCalls, call: Call): unknown {
  const found = numericCalls.find(call);
  if (!found) return undefined;
  const quick = { inputs: valuesOf(found.inputs), outputs: valuesOf(found.outputs), version: found.version };
  const decoded = decodeCall(call, 1_000_000, READING);
  if (decoded.outcome !== "decoded") throw new Error(`the long way does not decode it: ${decoded.reason}`);
  const long = decoded.rows.map(({ inputs, outputs }) => ({ inputs, outputs, version: decoded.version }));
  expect([quick]).toEqual(long);
  return quick;
}

const valuesOf = (json: Uint8Array | string): unknown => JSON.parse(Buffer.from(json).toString());

const tensor = (data: string, { datatype = "FP64", shape = "[1,3]", name = "x" } = {}) =>
  `{"inputs":[{"name":"${name}","shape":${shape},"datatype":"${datatype}","data":${data}}]}`;

describe("a call that is a list of numbers", () => {
  const finds = (request: string, response = ANSWER, path = V2) =>
    recorded(new NumericCalls(1_000_000, READING), callOf(request, response, path));

  it.each([
    [tensor("[1,2.5,-3.25]")],
    [tensor("[[1,2.5,-3.25]]")],
    [
      '{"inputs": [{"name": "x", "shape": [1, 3], "datatype": "FP32", "data": [1.0, 2.5, -3.25]}], "id": "7"}',
    ],
    ['{"id":"8","inputs":[{"name":"x","shape":[1,3],"datatype":"INT64","data":[1,2,3]}]}'],
    [
      '{"inputs":[{"name":"é","shape":[1],"datatype":"FP64","data":[0.5]},{"name":"b","shape":[1,1],"datatype":"INT32","data":[4]}]}',
    ],
    [tensor("[1e-7,2.5E-3,0.1]")],
  ])("is recorded as its numbers were written: %s", (request) => {
    expect(finds(request)).toMatchObject({ outputs: { p_0: 0.25, p_1: 0.75 }, version: "3" });
  });

  it("may be of V1", () => {
    expect(finds('{"instances": [[1.0, 2.5]]}', '{"predictions": [0.5]}', V1)).toMatchObject({
      inputs: { input_0: 1, input_1: 2.5 },
      outputs: { prediction: 0.5 },
    });
  });

  it("is known again whatever its numbers and its answer's id", () => {
    const numericCalls = new NumericCalls(1_000_000, READING);
    for (let i = 0; i < 200; i++) {
      const answer = ANSWER.replace("{", `{"id":"answer-${i}",`).replace("0.25", `0.${i + 1}1`);
      expect(recorded(numericCalls, callOf(tensor(`[${i},2.5,${i / 7}]`), answer, V2)), `${i}`).toBeDefined();
    }
  });

  it.each([
    ["several instances", tensor("[1,2,3,4,5,6]", { shape: "[2,3]" })],
    ["several instances of V1", '{"instances":[[1],[2]]}', '{"predictions":[1,2]}', V1],
    ["a text", tensor('["1",2,3]')],
    ["nothing", tensor("[]", { shape: "[0]" })],
    ["a number too many", tensor("[1,2,3,4]")],
    ["a fraction among whole numbers", tensor("[1,2.5,3]", { datatype: "INT64" })],
    ["a whole number that is too large for its type", tensor("[1,2,300]", { datatype: "UINT8" })],
    ["a negative zero", tensor("[1,2,-0.0]")],
    ["a number beyond the range", tensor("[1,2,1e999]")],
    ["a whole number beyond 2^53", tensor("[1,2,9007199254740993]")],
    ["a number that is none", tensor("[1,2,03]")],
    ["a comma too many", tensor("[1,2,]")],
    ["truth values", tensor("[1,0,1]", { datatype: "BOOL" })],
    ["a matrix", tensor("[1,2,3,4]", { shape: "[1,2,2]" })],
    ["an escape", tensor("[1,2,3]", { name: "\\u0041" })],
    ["a name twice", tensor("[1,2,3]").replace('"data"', '"data":[4,5,6],"data"')],
    ["features beside the list", '{"instances":[{"id":"a","data":[1,2]}]}', '{"predictions":[1]}', V1],
    ["no end", '{"inputs":[{"name":"x","shape":[1,3],"datatype":"FP64","data":[1,2,3'],
    ["no answer", tensor("[1,2,3]"), "no JSON"],
  ])("is decoded when it holds %s", (_, request, response?: string, path?: string) => {
    expect(finds(request, response, path)).toBeUndefined();
  });

  it("is decoded when it is compressed, failed, or was not kept whole", () => {
    const call = callOf(tensor("[1,2,3]"), ANSWER, V2);
    const numericCalls = new NumericCalls(1_000_000, READING);
    expect(numericCalls.find(call)).toBeDefined();
    expect(numericCalls.find({ ...call, request: { ...call.request, encoding: "gzip" } })).toBeUndefined();
    expect(numericCalls.find({ ...call, response: { ...call.response, headerLength: "9" } })).toBeUndefined();
    expect(numericCalls.find({ ...call, response: { ...call.response, state: "cut-off" } })).toBeUndefined();
    expect(numericCalls.find({ ...call, status: 500 })).toBeUndefined();
    expect(numericCalls.find({ ...call, idState: "open" })).toBeUndefined();
  });

  it("is not looked at for a while when each is in other words", () => {
    const numericCalls = new NumericCalls(1_000_000, READING);
    const same = callOf(tensor("[1,2,3]"), ANSWER, V2);
    for (let i = 0; i < 100; i++) numericCalls.find(callOf(tensor("[1,2,3]", { name: `n${i}` }), ANSWER, V2));
    expect(numericCalls.find(same)).toBeUndefined();
    for (let i = 0; i < 10_000; i++) numericCalls.find(same);
    expect(numericCalls.find(same)).toBeDefined();
  });
});

/** One or two characters of its numbers are others of those that numbers are written with. */
function withOtherNumbers(request: string, random: () => number): Buffer {
  const body = Buffer.from(request);
  const [from, to] = [request.lastIndexOf("[") + 1, request.lastIndexOf("]")];
  const pick = (length: number) => Math.floor(random() * length);
  for (let i = 0; i < 2; i++) body.write("0123456789.,-eE "[pick(16)] ?? "", from + pick(to - from));
  return body;
}

describe("the quick way and the long way record the same", () => {
  const number = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.float({ noNaN: true, noDefaultInfinity: true }),
    fc.double({ min: -1e6, max: 1e6, noNaN: true }),
    fc.integer({ min: -300, max: 300 }),
    fc.maxSafeInteger(),
  );
  const written = number.chain((value) =>
    fc.constantFrom(JSON.stringify(value), Number.isInteger(value) ? `${value}.0` : String(value)),
  );

  it("of generated calls", () => {
    const parts = [
      fc.array(written, { minLength: 1, maxLength: 6 }),
      fc.constantFrom("FP64", "FP32", "INT64", "INT32", "UINT8", "BOOL"),
      fc.constantFrom(",", ", "),
      fc.constantFrom(V2, V1),
    ] as const;
    let found = 0;
    fc.assert(
      fc.property(...parts, (numbers, datatype, comma, path) => {
        const data = `[${numbers.join(comma)}]`;
        const shape = `[1,${numbers.length}]`;
        const request = path === V2 ? tensor(data, { datatype, shape }) : `{"instances":[${data}]}`;
        const call = callOf(request, path === V2 ? ANSWER : '{"predictions":[0.5]}', path);
        if (recorded(new NumericCalls(1_000_000, READING), call) !== undefined) found += 1;
      }),
      { numRuns: 2_000 },
    );
    expect(found).toBeGreaterThan(100);
  });

  it(`of ${PAYLOADS} mutated payloads`, { timeout: 60_000 + PAYLOADS }, () => {
    const random = randomFrom(7);
    const seeds: readonly (readonly [string, string, string])[] = [
      [V2, tensor("[1,2.5,-3.25]"), ANSWER],
      [V2, tensor("[1,2,3]", { datatype: "INT64" }), ANSWER],
      [V1, '{"instances": [[1.0, 2.5]]}', '{"predictions":[0.5]}'],
    ];
    let found = 0;
    let numericCalls = new NumericCalls(1_000_000, READING);
    for (let i = 0; i < PAYLOADS; i++) {
      if (i % 25 === 0) numericCalls = new NumericCalls(1_000_000, READING); // before it looks away
      const [path, request, response] = seeds[i % 3] as (typeof seeds)[number]; // there are three
      const asked = random() < 0.5 ? mutate(Buffer.from(request), random) : withOtherNumbers(request, random);
      const answered = random() < 0.7 ? Buffer.from(response) : mutate(Buffer.from(response), random);
      if (recorded(numericCalls, callOf(asked, answered, path)) !== undefined) found += 1;
    }
    expect(found).toBeGreaterThan(PAYLOADS / 100);
  });
});
