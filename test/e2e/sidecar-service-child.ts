import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** The scoring service of `sidecar-service.py` once more, on Node. */
interface Plan {
  readonly status?: number;
  readonly score?: number;
  readonly size?: number;
  readonly pieces?: number;
  readonly framing?: "length" | "chunked" | "close";
  readonly type?: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly cut?: number;
}

const HOP_BY_HOP = ["connection", "keep-alive"];

function answer(request: IncomingMessage, response: ServerResponse, body: Buffer): void {
  const plan: Plan = JSON.parse((request.headers["x-plan"] as string | undefined) ?? "{}");
  const seen = request.rawHeaders.flatMap((name, i, all) =>
    i % 2 === 0 && !HOP_BY_HOP.includes(name.toLowerCase()) ? [[name, all[i + 1]]] : [],
  );
  const digest = createHash("sha256")
    .update(JSON.stringify([request.method, request.url, seen]))
    .update(body)
    .digest("hex");
  const { framing = "length", status = 200, size = 0, pieces = 1 } = plan;
  const text = plan.score ? scores(body) : digest.repeat(Math.ceil(size / digest.length)).slice(0, size);
  const headers = ["X-Request-Digest", digest, "Content-Type", plan.type ?? "application/json"];
  for (const [name, value] of plan.headers ?? []) headers.push(name, value);
  if (framing === "close") headers.push("Connection", "close");
  else if (framing === "length" && status !== 204)
    headers.push("Content-Length", String(Buffer.byteLength(text)));
  response.sendDate = false;
  if (framing === "close") response.useChunkedEncodingByDefault = false;
  response.writeHead(status, headers);
  if (request.method === "HEAD" || status === 204 || status === 304) {
    response.end();
    return;
  }
  const end = plan.cut ? Math.floor(text.length / 2) : text.length;
  const piece = Math.max(1, Math.floor(text.length / pieces));
  for (let at = 0; at < end; at += piece) response.write(text.slice(at, Math.min(at + piece, end)));
  if (plan.cut) response.socket?.end();
  else response.end();
}

function scores(body: Buffer): string {
  const { instances } = JSON.parse(body.toString()) as { readonly instances: Record<string, number>[] };
  const predictions = instances.map((row) => Object.values(row).reduce((sum, value) => sum + value, 0) % 1);
  return JSON.stringify({ predictions });
}

const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", () => answer(request, response, Buffer.concat(parts)));
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
