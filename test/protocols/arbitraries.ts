import fc from "fast-check";
import type { JsonObject, JsonValue } from "../../protocols/json.ts";
import { type Datatype, datatypeBytes, type Tensor, type TensorValue } from "../../protocols/tensor.ts";

/** Whole numbers that a double does not hold, within 64 bits and beyond. */
const largeWhole = fc
  .bigInt({ min: -(2n ** 64n), max: 2n ** 64n })
  .filter((value) => !Number.isSafeInteger(Number(value)));

const finite = fc.double({ noNaN: true, noDefaultInfinity: true });
const text = fc.string({ unit: "grapheme", maxLength: 30 });

const scalar: fc.Arbitrary<string | number | bigint | boolean | null> = fc.oneof(
  finite,
  fc.integer(),
  largeWhole,
  text,
  fc.boolean(),
  fc.constant(null),
);

/** Any JSON value of our kind but NaN and infinities, which JSON has not. */
export const jsonValue: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    scalar,
    fc.array(tie("value"), { maxLength: 5 }),
    fc.dictionary(fc.oneof(text, fc.constant("__proto__")), tie("value"), { maxKeys: 5 }),
  ),
})).value;

/** Names of columns, hostile ones among them; not `b64`, which makes an object stand for bytes. */
const columnName = fc
  .oneof(
    text,
    fc.constantFrom("__proto__", "constructor", 'a"b', "a,b", "a\nb", "instances", "columns", "data"),
  )
  .filter((name) => name !== "" && name !== "b64");

/** Rows of scalars that all have the same columns; `cell` makes the values of one column. */
function rowsOf(column: fc.Arbitrary<fc.Arbitrary<JsonValue>>): fc.Arbitrary<readonly JsonObject[]> {
  return fc
    .tuple(
      fc.uniqueArray(columnName, { minLength: 2, maxLength: 6 }),
      fc.integer({ min: 1, max: 8 }),
      fc.infiniteStream(column),
    )
    .chain(([names, rows, columns]) =>
      fc.array(
        fc
          .tuple(...names.map(() => columns.next().value as fc.Arbitrary<JsonValue>))
          .map((values) => Object.fromEntries(names.map((name, at) => [name, values[at] as JsonValue]))),
        { minLength: rows, maxLength: rows },
      ),
    );
}

export const tableRows = rowsOf(fc.constant(scalar));

const wordText = text.filter(
  (value) =>
    /\p{L}/u.test(value) &&
    !/^(true|false|nan|na|n\/a|null|none|[ \t]*[+-]?inf(inity)?[ \t]*)$/i.test(value) &&
    !/^[\s\d.eE+-]*$/.test(value),
);
const missingOr = <T extends JsonValue>(values: fc.Arbitrary<T>) => fc.option(values, { nil: null });

/** Rows whose columns are each of one type, as CSV keeps them. */
export const csvTable = rowsOf(
  fc.constantFrom<fc.Arbitrary<JsonValue>>(
    missingOr(
      finite.filter(
        (value) => !Object.is(value, -0) && (Number.isSafeInteger(value) || !Number.isInteger(value)),
      ),
    ),
    missingOr(largeWhole),
    missingOr(wordText),
    missingOr(fc.boolean()),
  ),
);

const integers = (bits: number, sign: "signed" | "unsigned"): fc.Arbitrary<number | bigint> => {
  const size = 2n ** BigInt(bits);
  const range = sign === "signed" ? { min: -size / 2n, max: size / 2n - 1n } : { min: 0n, max: size - 1n };
  return fc.bigInt(range).map(plainWhole);
};

const elements: Readonly<Record<Datatype, fc.Arbitrary<TensorValue>>> = {
  BOOL: fc.boolean(),
  UINT8: integers(8, "unsigned"),
  UINT16: integers(16, "unsigned"),
  UINT32: integers(32, "unsigned"),
  UINT64: integers(64, "unsigned"),
  INT8: integers(8, "signed"),
  INT16: integers(16, "signed"),
  INT32: integers(32, "signed"),
  INT64: integers(64, "signed"),
  FP16: fc.integer({ min: -2048, max: 2048 }),
  BF16: fc.integer({ min: -256, max: 256 }),
  FP32: fc.float(),
  FP64: fc.double(),
  BYTES: text,
};

/** Tensors with texts for BYTES, so that both forms can carry them. */
export const tensor: fc.Arbitrary<Tensor> = fc
  .tuple(
    fc.constantFrom(...(Object.keys(datatypeBytes) as Datatype[])),
    fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }),
    text,
  )
  .chain(([datatype, shape, name]) => {
    const count = shape.reduce((product, length) => product * length, 1);
    return fc
      .array(elements[datatype], { minLength: count, maxLength: count })
      .map((values) => ({ name, datatype, shape, values }));
  });

/** The tensor with whole numbers as `number` where one holds them, and its values in a plain list. */
export function plainTensor(of: Tensor): Tensor {
  return {
    ...of,
    values: Array.from(of.values, (value) => (typeof value === "bigint" ? plainWhole(value) : value)),
  };
}

function plainWhole(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}
