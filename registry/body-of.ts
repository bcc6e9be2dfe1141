import type { IncomingMessage } from "node:http";
import { Readable } from "node:stream";
import type { Context } from "hono";

/** The body of a call as it comes; from the connection itself where it came over one. */
export function bodyOf(c: Context): Readable {
  const { incoming } = (c.env ?? {}) as { readonly incoming?: IncomingMessage };
  if (incoming) return incoming;
  const { body } = c.req.raw;
  return body ? Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]) : Readable.from([]);
}

/**
 * Gives a body to what reads it, and resolves when that is done with it. When it fails the connection stays whole, and
 * what is left of the body is dropped as it comes, so that the client hears why.
 */
export function feed(body: Readable, reader: NodeJS.WritableStream, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown) => {
      body.unpipe(reader);
      body.resume();
      reject(error);
    };
    if (body.destroyed) return fail(body.errored ?? new Error("the connection was closed: aborted"));
    body.once("error", fail);
    body.once("close", () => {
      if (!body.readableEnded) fail(new Error("the connection was closed: aborted"));
    });
    reader.once("error", fail);
    reader.once("finish", resolve);
    signal?.addEventListener("abort", () => fail(signal.reason), { once: true });
    body.pipe(reader);
  });
}
