const MASK = "***";
const SECRET_KEYS: ReadonlySet<PropertyKey> = new Set([
  "key",
  "hash",
  "secret",
  "password",
  "token",
  "redact_key",
]);
/** Keys whose value may hold a secret that cannot be told apart while the value is not even well-formed. */
const DELICATE_KEYS: ReadonlySet<PropertyKey> = new Set([...SECRET_KEYS, "url", "smtp_url", "api_keys"]);
/** A path segment as long as this is taken for a token, as in the addresses of chat webhooks. */
const LONG_SEGMENT = 16;

/**
 * A valid value as it can be shown: secrets become `***`, and passwords, queries and long path segments are taken out of
 * addresses.
 *
 * @example
 * maskSecrets({ url: "https://u:p@x.org/a?b=c", secret: "whsec_…" }); // { url: "https://***@x.org/a?***", secret: "***" }
 */
export function maskSecrets(value: unknown): unknown {
  if (typeof value === "string") return maskAddresses(value);
  if (Array.isArray(value)) return value.map(maskSecrets);
  if (value !== null && typeof value === "object") {
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, SECRET_KEYS.has(key) ? MASK : maskSecrets(item)]),
    );
  }
  return value;
}

/** Takes what may be secret out of every address in a text. */
export function maskAddresses(text: string): string {
  return text.replace(
    /\b([a-z][a-z0-9+.-]*:\/\/)([^\s"<>\\]*@)?([^\s"<>\\?#]*)([?#][^\s"<>\\]*)?/gi,
    (...groups) => {
      const [, scheme, user, rest, query] = groups as [string, string, string?, string?, string?];
      const segments = (rest ?? "").split("/");
      const path = segments.map((segment, i) => (i > 0 && segment.length >= LONG_SEGMENT ? MASK : segment));
      return `${scheme}${user ? `${MASK}@` : ""}${path.join("/")}${query ? `?${MASK}` : ""}`;
    },
  );
}

/** A wrong value as it can be shown in a message, at most 80 characters; `path` is where it stands. */
export function showWrongValue(value: unknown, path: readonly PropertyKey[]): string {
  if (value === undefined) return "nothing";
  const harmless = path.at(-1) === "name" || path.at(-1) === "role";
  if (!harmless && path.some((key) => DELICATE_KEYS.has(key))) return MASK;
  const text = JSON.stringify(maskSecrets(value)) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}
