import type { IncomingMessage } from "node:http";

/**
 * Reads a body that says its length, is short and is not compressed, without a promise: with a record of a few hundred
 * bytes that is felt. One of the two is called once.
 */
export function readShortBody(
  incoming: IncomingMessage,
  { read, brokenOff }: { readonly read: (body: Uint8Array) => void; readonly brokenOff: () => void },
): void {
  let only: Buffer | undefined;
  let parts: Buffer[] | undefined;
  let state: "reading" | "read" = "reading";
  incoming.on("data", (part: Buffer) => {
    if (!only) only = part;
    else if (parts) parts.push(part);
    else parts = [only, part];
  });
  incoming.on("end", () => {
    state = "read";
    read(parts ? Buffer.concat(parts) : (only ?? new Uint8Array()));
  });
  // One that breaks off is closed without an end; nobody listening to its error, it has none.
  incoming.on("close", () => {
    if (state === "reading") brokenOff();
  });
}
