import type { MessageHeaders } from "./exchange.ts";

/** The value of a header, the first where there are several; undefined when it is absent or empty. */
export function headerOf(headers: MessageHeaders, name: string): string | undefined {
  const value = headers[name];
  const first = typeof value === "string" ? value : value?.[0];
  return first === undefined || first.trim() === "" ? undefined : first.trim();
}

/** The media type in lower case, without parameters. */
export function mediaTypeOf(headers: MessageHeaders): string | undefined {
  return headerOf(headers, "content-type")?.split(";")[0]?.trim().toLowerCase();
}
