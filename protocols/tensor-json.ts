import { ServiceError } from "../schema/errors.ts";
import { isList, type JsonValue } from "./json.ts";
import { type Datatype, short, type TensorValue } from "./tensor.ts";

/** Lowest and highest value of the integer datatypes. */
const RANGES: Readonly<Partial<Record<Datatype, readonly [bigint, bigint]>>> = {
  UINT8: [0n, 2n ** 8n - 1n],
  UINT16: [0n, 2n ** 16n - 1n],
  UINT32: [0n, 2n ** 32n - 1n],
  UINT64: [0n, 2n ** 64n - 1n],
  INT8: [-(2n ** 7n), 2n ** 7n - 1n],
  INT16: [-(2n ** 15n), 2n ** 15n - 1n],
  INT32: [-(2n ** 31n), 2n ** 31n - 1n],
  INT64: [-(2n ** 63n), 2n ** 63n - 1n],
};

const NON_FINITE: ReadonlyMap<JsonValue, number> = new Map([
  ["NaN", Number.NaN],
  ["Infinity", Number.POSITIVE_INFINITY],
  ["-Infinity", Number.NEGATIVE_INFINITY],
  [null, Number.NaN], // how pandas and many serializers write it
]);

/**
 * The elements of a tensor's `data` in JSON, nested or flat.
 *
 * Floats may be the texts `NaN`, `Infinity`, `-Infinity`, or null for NaN; a BOOL also the texts `true` and `false`, which
 * KServe's own example sends, or 0 and 1; integers also decimal text, which keeps them exact with any JSON library.
 *
 * @param data - As parsed; `undefined` when it is not there.
 * @param count - Product of the shape.
 * @throws ServiceError `invalid-input` when there are more or fewer elements, or one is not of the datatype.
 * @see kserve/open-inference-protocol, specification/protocol/inference_rest.md, tensor data.
 * @example
 * readElements({ data: [[1, 2], [3, 4]], count: 4, datatype: "INT64", tensor: "x" }); // [1, 2, 3, 4]
 */
export function readElements(from: {
  readonly data: JsonValue | undefined;
  readonly count: number;
  readonly datatype: Datatype;
  readonly tensor: string;
}): TensorValue[] {
  const { data, count, datatype, tensor } = from;
  if (!isList(data))
    throw new ServiceError("invalid-input", `tensor "${short(tensor)}" has no list called data`);
  const values: TensorValue[] = [];
  const gather = (items: readonly JsonValue[]): void => {
    for (const item of items) {
      if (isList(item)) gather(item);
      else if (values.length === count)
        throw new ServiceError(
          "invalid-input",
          `tensor "${short(tensor)}" has more elements than the ${count} of its shape`,
        );
      else values.push(readElement(item, datatype, tensor));
    }
  };
  gather(data);
  if (values.length < count)
    throw new ServiceError(
      "invalid-input",
      `tensor "${short(tensor)}" has ${values.length} elements and a shape of ${count}`,
    );
  return values;
}

function readElement(item: JsonValue, datatype: Datatype, tensor: string): TensorValue {
  const value = elementOf(item, datatype);
  if (value !== undefined) return value;
  throw new ServiceError(
    "invalid-input",
    `tensor "${short(tensor)}" of ${datatype} holds ${short(String(item))}`,
  );
}

function elementOf(item: JsonValue, datatype: Datatype): TensorValue | undefined {
  if (datatype === "BYTES") return typeof item === "string" ? item : undefined;
  if (datatype === "BOOL") {
    if (item === true || item === "true" || item === 1) return true;
    return item === false || item === "false" || item === 0 ? false : undefined;
  }
  const range = RANGES[datatype];
  if (range) return integerOf(item, range);
  if (typeof item === "number") return item;
  return typeof item === "bigint" ? Number(item) : NON_FINITE.get(item);
}

function integerOf(
  item: JsonValue,
  [lowest, highest]: readonly [bigint, bigint],
): number | bigint | undefined {
  if (typeof item === "number" && Number.isSafeInteger(item))
    return item >= lowest && item <= highest ? item : undefined;
  const whole = wholeOf(item);
  if (whole === undefined || whole < lowest || whole > highest) return undefined;
  const value = Number(whole);
  return Number.isSafeInteger(value) ? value : whole;
}

function wholeOf(item: JsonValue): bigint | undefined {
  if (typeof item === "bigint") return item;
  if (typeof item === "number") return Number.isInteger(item) ? BigInt(item) : undefined;
  return typeof item === "string" && /^-?\d{1,20}$/.test(item) ? BigInt(item) : undefined;
}

/** The element as JSON: bytes that are not UTF-8 have no form there. @throws RangeError for such bytes. */
export function elementJson(value: TensorValue): JsonValue {
  if (value instanceof Uint8Array)
    throw new RangeError("BYTES that are not UTF-8 can be sent as binary tensors only");
  if (typeof value !== "number" || Number.isFinite(value)) return value;
  return String(value);
}
