import { ServiceError } from "../schema/errors.ts";

/** Types whose values are short whatever they were made of. */
const SHORT = new Set([
  ..."BOOLEAN TINYINT SMALLINT INTEGER BIGINT HUGEINT UTINYINT USMALLINT UINTEGER UBIGINT UHUGEINT".split(
    " ",
  ),
  ..."FLOAT DOUBLE DECIMAL UUID DATE TIME INTERVAL TIMESTAMP TIMESTAMP_S TIMESTAMP_MS TIMESTAMP_NS".split(
    " ",
  ),
  ...["TIME WITH TIME ZONE", "TIMESTAMP WITH TIME ZONE", "TIME_NS"],
]);

/** Types that may be as long as one likes, alone or with others in them. */
const LONG = new Set("VARCHAR BLOB LIST STRUCT MAP ARRAY".split(" "));

/** What a short value counts. */
const SHORT_GROWTH = 0.1;
/**
 * Casts write a quote or a backslash as two, a byte as `\x00`, a number of eight bytes in up to 24 characters. Types not
 * taken multiply more: a bit of a BIT becomes a character.
 */
const LONG_GROWTH = 4;

/**
 * How many times longer a value may become by being cast to this type (as `json_serialize_sql` tells it).
 * @throws ServiceError `invalid-input` for a type that a query may not cast to.
 */
export function castGrowth(type: unknown): number {
  let growth = SHORT_GROWTH;
  for (const name of typeNames(type)) {
    if (SHORT.has(name)) continue;
    if (!LONG.has(name) && name !== "json") {
      throw new ServiceError(
        "invalid-input",
        `a cast to ${name.slice(0, 60)} is not taken in a query: numbers, decimal, boolean, varchar, json, blob, uuid, dates, times, lists, structs and maps are`,
      );
    }
    growth = LONG_GROWTH;
  }
  return growth;
}

/** Names of the type and of those in it. Those that DuckDB looks up later (`json`) are in lower case. */
function typeNames(type: unknown): readonly string[] {
  if (Array.isArray(type)) return type.flatMap(typeNames);
  if (type === null || typeof type !== "object") return [];
  const { id, ...parts } = type as { readonly id?: unknown; readonly type_info?: unknown };
  const { name } = (parts.type_info ?? {}) as { readonly name?: unknown };
  const own = id === "UNBOUND" ? String(name).toLowerCase() : id;
  return [...(own === undefined ? [] : [String(own)]), ...Object.values(parts).flatMap(typeNames)];
}
