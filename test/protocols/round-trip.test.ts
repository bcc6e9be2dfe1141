import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { csvRows, writeCsv } from "../../protocols/csv.ts";
import { defaultDecodeLimits } from "../../protocols/exchange.ts";
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "../../protocols/float16.ts";
import { isList, isObject, type JsonValue, parseJson, writeJson } from "../../protocols/json.ts";
import { mlflowForms, mlflowRows, writeMlflow } from "../../protocols/mlflow.ts";
import { readInference, writeInference } from "../../protocols/open-inference.ts";
import { setOwn } from "../../protocols/own-property.ts";
import { plainRows } from "../../protocols/plain-rows.ts";
import { startRecording } from "../../protocols/recording.ts";
import { readBinary, writeBinary } from "../../protocols/tensor-binary.ts";
import { servingRows, writeServing } from "../../protocols/tensorflow-serving.ts";
import { csvTable, jsonValue, plainTensor, tableRows, tensor } from "./arbitraries.ts";
import { bytesOf, hexDigest } from "./payload.ts";

const recording = () => startRecording({ digest: hexDigest });

/** As a service would receive it. */
const overTheWire = (value: Parameters<typeof writeJson>[0]) => parseJson(bytesOf(writeJson(value)), 64);

/** Whole numbers beyond 2^53 as `JSON.parse` reads them. */
function rounded(value: JsonValue): unknown {
  if (typeof value === "bigint") return Number(value);
  if (isList(value)) return value.map(rounded);
  if (!isObject(value)) return value;
  const members: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) setOwn(members, name, rounded(item));
  return members;
}

describe("decode(encode(x)) = x", () => {
  it("JSON, with whole numbers of any size", () => {
    fc.assert(
      fc.property(jsonValue, (value) => {
        expect(overTheWire(value)).toEqual(value);
      }),
    );
  });

  it("JSON reads what JSON.parse reads, whole numbers beyond 2^53 to the last digit", () => {
    fc.assert(
      fc.property(fc.json({ noUnicodeString: false }), (text) => {
        expect(rounded(parseJson(bytesOf(text), 64))).toEqual(JSON.parse(text));
        // The second reader takes over where a bare NaN is, and must agree on all the rest.
        expect(rounded(parseJson(bytesOf(`[NaN, ${text}]`), 64))).toEqual([Number.NaN, JSON.parse(text)]);
      }),
    );
  });

  it.each([
    { name: "FP16", from: fromFloat16, to: toFloat16 },
    { name: "BF16", from: fromBfloat16, to: toBfloat16 },
  ])("every word of $name", ({ from, to }) => {
    const changed: number[] = [];
    for (let word = 0; word < 65_536; word++) {
      const value = from(word);
      if (Number.isNaN(value) ? !Number.isNaN(from(to(value))) : to(value) !== word) changed.push(word);
    }
    expect(changed).toEqual([]);
  });

  it.each([
    { value: 65_519.99, word: 0x7bff, says: "below the half way point: the largest" },
    { value: 65_520, word: 0x7c00, says: "half way: infinity" },
    { value: 2 ** -25, word: 0, says: "half of the smallest: to even, 0" },
    { value: 1.0004882, word: 0x3c00, says: "below half way between 1 and the next: 1" },
    { value: 2047.5, word: 0x6800, says: "half way: to even, which carries into the exponent" },
  ])("FP16 rounds $value ($says)", ({ value, word }) => {
    expect(toFloat16(value)).toBe(word);
  });

  it.each(["json", "binary"] as const)("Open Inference V2, %s", (form) => {
    const message = fc.record({
      id: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
      modelName: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
      modelVersion: fc.option(fc.string({ minLength: 1 }), { nil: undefined }),
      tensors: fc.array(tensor, { maxLength: 4 }),
    });
    fc.assert(
      fc.property(message, fc.constantFrom("inputs" as const, "outputs" as const), (sent, side) => {
        const read = readInference(writeInference(sent, side, form), side, defaultDecodeLimits);
        expect({ ...read, tensors: read.tensors.map(plainTensor) }).toEqual(sent);
      }),
    );
  });

  it("BYTES that are not UTF-8, binary", () => {
    const raw = fc.uint8Array({ maxLength: 20 }).map((bytes) => Uint8Array.of(0xff, ...bytes));
    fc.assert(
      fc.property(fc.array(raw), (values) => {
        const bytes = writeBinary("BYTES", values);
        expect(readBinary({ bytes, count: values.length, datatype: "BYTES", tensor: "x" })).toEqual(values);
      }),
    );
  });

  it.each(["row", "column"] as const)("TensorFlow Serving, %s form", (form) => {
    fc.assert(
      fc.property(tableRows, (rows) => {
        const sent = overTheWire(writeServing(rows, form));
        expect(servingRows(sent as ReturnType<typeof writeServing>, undefined, recording())).toEqual(rows);
      }),
    );
  });

  it.each(mlflowForms)("MLflow, %s", (form) => {
    fc.assert(
      fc.property(tableRows, (rows) => {
        const sent = overTheWire(writeMlflow(rows, form));
        expect(mlflowRows(sent as ReturnType<typeof writeMlflow>, undefined, recording())).toEqual(rows);
      }),
    );
  });

  it("MLflow, CSV", () => {
    const unnamed = { stem: "input", names: undefined };
    fc.assert(
      fc.property(csvTable, (rows) => {
        expect(csvRows(bytesOf(writeCsv(rows)), unnamed, recording())).toEqual(rows);
      }),
    );
  });

  it("plain rows, as objects and as lists with names", () => {
    fc.assert(
      fc.property(tableRows, (rows) => {
        const names = Object.keys(rows[0] ?? {});
        const lists = rows.map((row) => Object.values(row));
        expect(plainRows(overTheWire(rows), undefined, recording())).toEqual(rows);
        expect(plainRows(overTheWire(lists), names, recording())).toEqual(rows);
      }),
    );
  });
});
