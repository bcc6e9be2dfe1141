/** Fields that belong to one connection and not to the message (RFC 9110 §7.6.1). Framing is kept as it came. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "upgrade",
  "http2-settings",
]);

/** Fields that frame or route a message: a `Connection` field that names them would break it, so they stay. */
const NEVER_DROPPED: ReadonlySet<string> = new Set([
  "content-length",
  "transfer-encoding",
  "host",
  "trailer",
]);

/**
 * Raw headers (`[name, value, name, value, …]`) without those meant for one hop only. Order, case and repeats stay.
 *
 * @param connection - Value of the message's own `connection` field, which may name further fields.
 */
export function endToEnd(raw: readonly string[], connection: string | undefined): string[] {
  const named = connection === undefined ? undefined : namedBy(connection);
  const kept: string[] = [];
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] as string; // i is below the length
    const lower = name.toLowerCase();
    if (HOP_BY_HOP.has(lower) || named?.has(lower)) continue;
    kept.push(name, raw[i + 1] as string);
  }
  return kept;
}

function namedBy(connection: string): ReadonlySet<string> | undefined {
  if (connection === "keep-alive" || connection === "close") return undefined;
  const names = connection.split(",").map((name) => name.trim().toLowerCase());
  return new Set(names.filter((name) => !NEVER_DROPPED.has(name)));
}
