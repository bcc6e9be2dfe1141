import type { Context } from "hono";

/** Name of the API key that the call came with; nobody's where the server is open. */
export function callerOf(c: Context): string | undefined {
  return c.get("caller") as string | undefined;
}

/** Who did it, as claimed; a key that was used is named as well, because anybody can claim anything. */
export function whoOf(claimed: string | undefined, key: string | undefined): string | undefined {
  if (claimed === undefined || key === undefined || claimed === key) return claimed ?? key;
  return `${claimed} (key ${key})`;
}
