import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Call, Payload } from "../../../collector/sidecar/call.ts";
import { decodeCall, decodeOptions } from "../../../collector/sidecar/decode-call.ts";
import { FlatCalls } from "../../../collector/sidecar/flat-call.ts";
import { type JsonValue, writeJson } from "../../../protocols/json.ts";
import { mutate, randomFrom } from "../../protocols/mutate.ts";

const READING = decodeOptions();

const PAYLOADS = Number(process.env.LEEWAY_FUZZ_PAYLOADS ?? 20_000);

function payloadOf(body: Uint8Array): Payload {
  return { state: "whole", type: "application/json", encoding: undefined, headerLength: undefined, body };
}

function callOf(request: Uint8Array, response: Uint8Array, path = "/score"): Call {
  return {
    ...{ id: "a", idState: "settled", timeMs: 0, latencyMs: 1, status: 200, path },
    request: payloadOf(request),
    response: payloadOf(response),
  };
}

/** What is recorded of a call by the quick way; the long way has to record the same. Undefined when there is no quick way. */
function recorded(flatCalls: FlatCalls, call: Call): unknown {
  const flat = flatCalls.find(call);
  if (!flat) return undefined;
  const quick = {
    inputs: valuesOf(flat.inputs),
    outputs: valuesOf(flat.outputs),
    version: flat.version,
  };
  const decoded = decodeCall(call, 1_000_000, READING);
  if (decoded.outcome !== "decoded") throw new Error(`the long way does not decode it: ${decoded.reason}`);
  const long = decoded.rows.map(({ inputs, outputs }) => ({
    inputs: withoutMinus(inputs as JsonValue),
    outputs: withoutMinus(outputs as JsonValue),
    version: decoded.version,
  }));
  expect([quick]).toEqual(long);
  return quick;
}

function valuesOf(json: Uint8Array | string): unknown {
  const text = typeof json === "string" ? json : new TextDecoder("utf-8", { fatal: true }).decode(json);
  expect(text).not.toMatch(/[\r\n]/);
  return withoutMinus(JSON.parse(text) as JsonValue);
}

/** `JSON.stringify` writes -0 as 0, so the long way loses a sign that the quick way keeps; it means nothing. */
function withoutMinus(value: JsonValue): unknown {
  return JSON.parse(JSON.stringify(JSON.parse(writeJson(value))));
}

describe("a call of one flat object", () => {
  const finds = (request: string, response = '{"score":0.5}', path?: string) =>
    recorded(new FlatCalls(READING), callOf(Buffer.from(request), Buffer.from(response), path));

  it.each([
    ['{"a":1,"b":-0.5e-3,"c":"x","d":true,"e":false,"f":null}'],
    [' { "a" : 1 ,\t"b" : "ü, 中文" } \r\n'],
    ['{"größe":1,"名":"x"}'],
    ['{"__proto__":1,"0":2,"constructor":"x"}'],
    ['{"data":1,"columns":2,"features":"x","id":"own"}'],
  ])("is recorded as it was written: %s", (request) => {
    expect(finds(request)).toMatchObject({ outputs: { score: 0.5 } });
  });

  it("may be answered in any form", () => {
    expect(finds('{"a":1}', '{"predictions":[0.5]}')).toMatchObject({ outputs: { prediction: 0.5 } });
    expect(finds('{"a":1}', '{"model_version":"7","score":1}')).toMatchObject({ version: "7" });
    expect(finds('{"a":1}', "no JSON")).toMatchObject({ outputs: {} });
  });

  it.each([
    ["nothing", "{}"],
    ["a list", '[{"a":1}]'],
    ["something nested", '{"a":[1]}'],
    ["a key twice", '{"a":1,"a":2}'],
    ["a whole number beyond 2^53", '{"a":9007199254740993}'],
    ["a number beyond the range", '{"a":1e999}'],
    ["a number that is none", '{"a":01}'],
    ["a bare word", '{"a":NaN}'],
    ["an escape", '{"a":"\\u0041"}'],
    ["an escape in a key", '{"a\\n":1}'],
    ["a line end between", '{"a":1,\n"b":2}'],
    ["a line end within", '{"a":"x\ny"}'],
    ["a comma too many", '{"a":1,}'],
    ["no end", '{"a":1'],
    ["more after it", '{"a":1}{'],
    ["bytes of TensorFlow Serving", '{"b64":"AAAA"}'],
    ["a form of MLflow", '{"inputs":1}'],
  ])("is decoded when it holds %s", (_, request) => {
    expect(finds(request)).toBeUndefined();
  });

  it("is decoded when the path names a protocol", () => {
    expect(finds('{"a":1}', "{}", "/v1/models/churn:predict")).toBeUndefined();
    expect(finds('{"a":1}', "{}", "/v2/models/churn/infer")).toBeUndefined();
    expect(finds('{"a":1}', "{}", "/invocations?x=1")).toMatchObject({ inputs: { a: 1 } });
  });

  it("is decoded when it is no UTF-8", () => {
    const broken = Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc3]), Buffer.from('"}')]);
    expect(recorded(new FlatCalls(READING), callOf(broken, Buffer.from("{}")))).toBeUndefined();
  });

  it("is decoded when it is compressed, failed, or was not kept whole", () => {
    const call = callOf(Buffer.from('{"a":1}'), Buffer.from("{}"));
    const flatCalls = new FlatCalls(READING);
    expect(flatCalls.find(call)).toBeDefined();
    expect(flatCalls.find({ ...call, request: { ...call.request, encoding: "gzip" } })).toBeUndefined();
    expect(flatCalls.find({ ...call, request: { ...call.request, type: "text/csv" } })).toBeUndefined();
    expect(flatCalls.find({ ...call, response: { ...call.response, state: "too-long" } })).toBeUndefined();
    expect(flatCalls.find({ ...call, status: 500 })).toBeUndefined();
    expect(flatCalls.find({ ...call, idState: "open" })).toBeUndefined();
  });
});

describe("the quick way and the long way record the same", () => {
  const scalar = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.integer(),
    fc.boolean(),
    fc.constant(null),
    fc.string({ unit: "grapheme", maxLength: 12 }),
  );
  const name = fc.oneof(
    fc.constantFrom(
      "a",
      "b",
      "c",
      "data",
      "columns",
      "model_version",
      "b64",
      "inputs",
      "__proto__",
      "7",
      "größe",
    ),
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }),
  );
  const flatObject = fc.dictionary(name, scalar, { maxKeys: 8 });

  it("of generated objects, in memory that is used again and again", () => {
    const flatCalls = new FlatCalls(READING);
    const memory = Buffer.alloc(4_096);
    let found = 0;
    fc.assert(
      fc.property(flatObject, flatObject, fc.constantFrom(undefined, 1), (request, response, indent) => {
        const asked = memory.write(JSON.stringify(request, null, indent), 0);
        const answered = memory.write(JSON.stringify(response), asked);
        const call = callOf(memory.subarray(0, asked), memory.subarray(asked, asked + answered));
        if (recorded(flatCalls, call) !== undefined) found += 1;
        memory.fill(0);
      }),
      { numRuns: 2_000 },
    );
    expect(found).toBeGreaterThan(200);
  });

  it(`of ${PAYLOADS} mutated payloads`, { timeout: 60_000 + PAYLOADS }, () => {
    const random = randomFrom(7);
    const flatCalls = new FlatCalls(READING);
    const seeds = [
      '{"a":1,"b":"x","c":true}',
      '{ "age": 31.5, "name": "ü" }',
      '{"score":-0.25e2,"label":null}',
    ];
    let found = 0;
    for (let i = 0; i < PAYLOADS; i++) {
      const [request, response] = [seeds[i % 3] as string, seeds[(i + 1) % 3] as string]; // there are three
      const asked = mutate(Buffer.from(request), random);
      const answered = random() < 0.5 ? Buffer.from(response) : mutate(Buffer.from(response), random);
      if (recorded(flatCalls, callOf(asked, answered)) !== undefined) found += 1;
    }
    expect(found).toBeGreaterThan(PAYLOADS / 40);
  });
});
