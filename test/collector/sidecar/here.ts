import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import net, { type AddressInfo, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { onTestFinished } from "vitest";
import { Counters } from "../../../collector/sidecar/counters.ts";
import type { SidecarOptions } from "../../../collector/sidecar/options.ts";
import { startProxy } from "../../../collector/sidecar/proxy.ts";
import { Recorder } from "../../../collector/sidecar/recorder.ts";
import { type Sidecar, startSidecar } from "../../../collector/sidecar/sidecar.ts";
import type { CallHead } from "../../../collector/sidecar/slab.ts";

export const OPTIONS: SidecarOptions = {
  upstream: "",
  model: "churn",
  version: undefined,
  deployment: undefined,
  featureNames: undefined,
  outputNames: undefined,
  collector: "http://127.0.0.1:9",
  apiKey: undefined,
  listen: { host: "127.0.0.1", port: 0 },
  admin: { host: "127.0.0.1", port: 0 },
  sample: 1,
  redactions: [],
  redactKey: undefined,
  onlyPaths: [],
  skipPaths: [],
  idHeaders: ["x-request-id"],
  answerIdHeader: "x-leeway-record-id",
  bodyBytes: 2 ** 20,
  memoryBytes: 2 ** 26,
  spoolDir: undefined,
  spoolBytes: 2 ** 30,
  drainMs: 0,
};

/** A sidecar in this process before a service; closed when the test ends. */
export async function sidecarBefore(
  upstream: string,
  options: Partial<SidecarOptions> = {},
): Promise<Sidecar & { readonly log: string[] }> {
  const log: string[] = [];
  const sidecar = await startSidecar({ ...OPTIONS, upstream, ...options }, (level, message, fields) =>
    log.push(`${level} ${message} ${JSON.stringify(fields ?? {})}`),
  );
  onTestFinished(() => sidecar.close());
  return { ...sidecar, log };
}

/** The proxy alone, with what it captured and would hand to the background. */
export async function proxyBefore(upstream: string, more: Partial<SidecarOptions> = {}) {
  const options = { ...OPTIONS, upstream, ...more };
  const counters = new Counters();
  const calls: CallHead[] = [];
  const recorder = new Recorder(options, counters, (call) => calls.push(call));
  const proxy = await startProxy(options, recorder, counters);
  onTestFinished(() => proxy.close(0));
  return { ...proxy, calls, counters };
}

/** A service over HTTP. */
export async function service(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  return listen(server, () => server.closeAllConnections());
}

/** A service that writes what it likes. */
export async function rawService(onConnection: (socket: Socket) => void): Promise<string> {
  const sockets = new Set<Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    onConnection(socket);
  });
  return listen(server, () => {
    for (const socket of sockets) socket.destroy();
  });
}

async function listen(server: Server, closeAll: () => void): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.close();
    closeAll();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

export interface StoredRecord {
  readonly id: string;
  readonly row: number;
  readonly version?: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly outputs: Readonly<Record<string, unknown>>;
  readonly status: number;
  readonly latency_ms: number;
  readonly weight?: number;
}

/** A collector that answers as told and keeps the records of what it accepted, first come. */
export async function collector(
  answer: () => { readonly status: number; readonly headers?: Record<string, string> } = () => ({
    status: 202,
  }),
): Promise<{
  readonly url: string;
  readonly records: Map<string, StoredRecord>;
  readonly requests: string[];
}> {
  const records = new Map<string, StoredRecord>();
  const requests: string[] = [];
  const url = await service((request, response) => {
    const parts: Buffer[] = [];
    request.on("data", (part: Buffer) => parts.push(part));
    request.on("end", () => {
      const { status, headers } = answer();
      const body = Buffer.concat(parts);
      const plain = request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
      requests.push(`${request.method} ${request.url} ${request.headers.authorization ?? ""}`.trim());
      const sent = plain
        .toString()
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => JSON.parse(line) as StoredRecord);
      const fresh = status === 202 ? sent.filter(({ id, row }) => !records.has(`${id}:${row}`)) : [];
      for (const record of fresh) records.set(`${record.id}:${record.row}`, record);
      const counts = { received: sent.length, stored: fresh.length, duplicates: sent.length - fresh.length };
      response.writeHead(status, { "content-type": "application/json", ...headers });
      response.end(JSON.stringify({ ...counts, rejected: 0, errors: [] }));
    });
  });
  return { url, records, requests };
}

/** Writes bytes to a port and gives all that comes back until the other side ends, or until it looks complete. */
export function rawCall(url: string, text: string, complete = /$^/): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = net.connect(Number(port), hostname, () => socket.write(text, "latin1"));
    let got = "";
    socket.on("data", (data: Buffer) => {
      got += data.toString("latin1");
      if (complete.test(got)) socket.destroy();
    });
    socket.on("close", () => resolve(got));
    socket.on("error", reject);
  });
}

export async function metric({ adminUrl }: Sidecar, name: string): Promise<number> {
  const text = await (await fetch(`${adminUrl}/metrics`)).text();
  const line = text.split("\n").find((each) => each.startsWith(`leeway_sidecar_${name} `));
  if (line === undefined) throw new RangeError(`there is no metric ${name}`);
  return Number(line.split(" ").at(-1));
}

export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 20));
}

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "leeway-sidecar-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
