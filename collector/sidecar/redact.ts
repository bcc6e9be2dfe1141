import { createHmac } from "node:crypto";
import type { Features, FeatureValue } from "../../protocols/exchange.ts";
import { writeJson } from "../../protocols/json.ts";

/** What is done to the values of one feature or output before they leave the machine. */
export type Redaction =
  | { readonly name: string; readonly how: "drop" }
  | { readonly name: string; readonly how: "hash" }
  | { readonly name: string; readonly how: "truncate"; readonly length: number };

/**
 * Reads `name`, `name=drop`, `name=hash` or `name=truncate:4`.
 * @throws RangeError when the way is none of these.
 */
export function parseRedaction(text: string): Redaction {
  const at = text.lastIndexOf("=");
  if (at === -1) return { name: text, how: "drop" };
  const [name, way] = [text.slice(0, at), text.slice(at + 1)];
  if (way === "drop" || way === "hash") return { name, how: way };
  const length = /^truncate:(\d{1,6})$/.exec(way)?.[1];
  if (length !== undefined) return { name, how: "truncate", length: Number(length) };
  throw new RangeError(`"${way}" is no way to redact ${name}: expected drop, hash or truncate:LENGTH`);
}

/**
 * Makes the function that redacts one record's inputs or outputs.
 *
 * - drop: the name is gone.
 * - hash: the value becomes 32 hexadecimal digits of HMAC-SHA-256 with the key: equal values stay equal, and without the
 *   key nobody can try out what they were. Missing stays missing.
 * - truncate: a text keeps its first characters; a value of another kind is dropped, since it cannot be cut.
 *
 * @throws RangeError when something is to be hashed and there is no key.
 */
export function redactor(
  redactions: readonly Redaction[],
  key: string | undefined,
): (values: Features) => Features {
  if (redactions.length === 0) return (values) => values;
  const hashed = redactions.find(({ how }) => how === "hash");
  if (hashed && !key) throw new RangeError(`${hashed.name} is to be hashed, and there is no key for it`);
  return (values) => {
    const redacted: Record<string, FeatureValue> = { ...values };
    for (const redaction of redactions) {
      if (!Object.hasOwn(redacted, redaction.name)) continue;
      const value = redactValue(redacted[redaction.name] ?? null, redaction, key ?? "");
      if (value === undefined) delete redacted[redaction.name];
      else redacted[redaction.name] = value;
    }
    return redacted;
  };
}

/** What is left of one value; undefined when nothing is. */
export function redactValue(
  value: FeatureValue,
  redaction: Redaction,
  key: string,
): string | null | undefined {
  if (redaction.how === "drop") return undefined;
  if (value === null) return null;
  if (redaction.how === "hash") return hmac(value, key);
  return typeof value === "string" ? [...value].slice(0, redaction.length).join("") : undefined;
}

function hmac(value: FeatureValue, key: string): string {
  const text = typeof value === "string" ? value : writeJson(value);
  return createHmac("sha256", key).update(text).digest("hex").slice(0, 32);
}
