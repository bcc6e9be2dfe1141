import {
  DuckDBArrayValue,
  DuckDBBlobValue,
  DuckDBDecimalValue,
  DuckDBListValue,
  DuckDBMapValue,
  DuckDBStructValue,
  DuckDBTimestampMillisecondsValue,
  DuckDBTimestampNanosecondsValue,
  DuckDBTimestampSecondsValue,
  DuckDBTimestampTZValue,
  DuckDBTimestampValue,
  DuckDBUnionValue,
  type DuckDBValue,
  DuckDBVariantValue,
} from "@duckdb/node-api";

/** A text, a piece of JSON that stands as it is (number, true, array, object), or nothing. */
type Plain = { readonly text: string } | { readonly json: string } | null;

/** Decimals of up to this many digits come back from a double as they were. */
const EXACT_DIGITS = 15;

/**
 * A value as JSON. Nothing is rounded: a whole number beyond 2^53 and a decimal of more than 15 digits are texts, as are
 * NaN and the infinities; times are ISO 8601 with as many digits as they have, bytes are base64, a map is a list of
 * pairs.
 */
export function jsonOf(value: DuckDBValue): string {
  const plain = plainOf(value);
  if (plain === null) return "null";
  return "text" in plain ? JSON.stringify(plain.text) : plain.json;
}

/** A value as a field of CSV (RFC 4180). Nothing and the empty text differ: the latter is quoted. */
export function csvOf(value: DuckDBValue): string {
  const plain = plainOf(value);
  if (plain === null) return "";
  const text = "text" in plain ? plain.text : plain.json;
  return text === "" || /[",\r\n]|^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function plainOf(value: DuckDBValue): Plain {
  if (value === null) return null;
  if (typeof value === "string") return { text: value };
  if (typeof value === "boolean") return { json: String(value) };
  if (typeof value === "number") return ofNumber(value);
  if (typeof value === "bigint") {
    const safe = value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER;
    return safe ? { json: String(value) } : { text: String(value) };
  }
  if (value instanceof DuckDBDecimalValue) {
    return value.width <= EXACT_DIGITS ? { json: value.toString() } : { text: value.toString() };
  }
  if (value instanceof DuckDBTimestampTZValue) return { text: timeText(value, value.micros * 1000n, 6, "Z") };
  if (value instanceof DuckDBTimestampValue) return { text: timeText(value, value.micros * 1000n, 6, "") };
  if (value instanceof DuckDBTimestampNanosecondsValue) return { text: timeText(value, value.nanos, 9, "") };
  if (value instanceof DuckDBTimestampMillisecondsValue)
    return { text: timeText(value, value.millis * 1_000_000n, 6, "") };
  if (value instanceof DuckDBTimestampSecondsValue)
    return { text: timeText(value, value.seconds * 1_000_000_000n, 6, "") };
  if (value instanceof DuckDBBlobValue) return { text: Buffer.from(value.bytes).toString("base64") };
  if (value instanceof DuckDBListValue || value instanceof DuckDBArrayValue) {
    return { json: `[${value.items.map(jsonOf).join(",")}]` };
  }
  if (value instanceof DuckDBStructValue) {
    const entries = Object.entries(value.entries);
    return {
      json: `{${entries.map(([name, item]) => `${JSON.stringify(name)}:${jsonOf(item)}`).join(",")}}`,
    };
  }
  if (value instanceof DuckDBMapValue) {
    return {
      json: `[${value.entries.map((entry) => `[${jsonOf(entry.key)},${jsonOf(entry.value)}]`).join(",")}]`,
    };
  }
  if (value instanceof DuckDBUnionValue || value instanceof DuckDBVariantValue) return plainOf(value.value);
  return { text: value.toString() }; // dates, times of day, intervals, UUIDs, bits
}

function ofNumber(value: number): Plain {
  if (Number.isFinite(value)) return { json: Object.is(value, -0) ? "-0.0" : String(value) };
  return { text: String(value) };
}

/** `2026-11-03T09:10:11.123Z`: fractions to the millisecond, or as far as they go. */
function timeText(
  value: { readonly isFinite?: boolean; toString(): string },
  nanos: bigint,
  mostDigits: number,
  zone: string,
): string {
  if (value.isFinite === false) return value.toString();
  const second = 1_000_000_000n;
  const rest = ((nanos % second) + second) % second;
  const date = new Date(Number((nanos - rest) / 1_000_000n));
  if (Number.isNaN(date.getTime())) return value.toString(); // beyond the year 275760
  const fraction = String(rest).padStart(9, "0").slice(0, mostDigits).replace(/0+$/, "").padEnd(3, "0");
  return `${date.toISOString().slice(0, -5)}.${fraction}${zone}`;
}
