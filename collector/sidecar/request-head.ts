import type { IncomingMessage } from "node:http";
import { endToEnd } from "./hop-by-hop.ts";
import type { Upstream } from "./upstream.ts";

/** The head of the request to the service, and how its body is framed: as the caller framed it. */
export function requestHead(
  request: IncomingMessage,
  { host, prefix }: Pick<Upstream, "host" | "prefix">,
): { readonly head: string; readonly framing: "none" | "length" | "chunked" } {
  const { method, url = "/", rawHeaders, headers } = request;
  const fields = endToEnd(rawHeaders, headers.connection);
  let head = `${method} ${prefix}${url} HTTP/1.1\r\n`;
  for (let i = 0; i < fields.length; i += 2) head += `${fields[i]}: ${fields[i + 1]}\r\n`;
  if (headers.host === undefined) head += `Host: ${host}\r\n`; // HTTP/1.0 may go without, HTTP/1.1 may not
  const framing =
    headers["transfer-encoding"] !== undefined
      ? "chunked"
      : (headers["content-length"] ?? "0") === "0"
        ? "none"
        : "length";
  return { head: `${head}\r\n`, framing };
}
