import type { IncomingMessage } from "node:http";

/** As much, and for as long, as a client may go on sending what is refused. */
const MOST_BYTES = 64 * 1024 * 1024;
const LONGEST_MS = 30_000;

/**
 * Reads what is left of a refused body and drops it. Most clients listen only when they have sent everything: an
 * answer before that, on a connection that is then closed, is lost to them.
 */
export async function swallowBody(incoming: IncomingMessage): Promise<"all" | "a part"> {
  if (incoming.complete || incoming.destroyed) return "all";
  let bytes = 0;
  return new Promise((resolve) => {
    const patience = AbortSignal.timeout(LONGEST_MS);
    const give = (how: "all" | "a part") => {
      incoming.off("data", count);
      resolve(how);
    };
    const count = (part: Buffer) => {
      bytes += part.length;
      if (bytes > MOST_BYTES) give("a part");
    };
    patience.addEventListener("abort", () => give("a part"));
    // A stream of the web that was made of it keeps what comes and stops it when it has enough: nobody reads that any more.
    incoming.removeAllListeners("data");
    incoming.on("data", count);
    incoming.once("end", () => give("all"));
    incoming.once("close", () => give("all"));
    incoming.resume();
  });
}
