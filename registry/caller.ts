import type { Context } from "hono";

/** Name of the API key that the call came with; nobody's where the server is open. */
export function callerOf(c: Context): string | undefined {
  return c.get("caller") as string | undefined;
}
