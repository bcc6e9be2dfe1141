import http from "node:http";
import type { AddressInfo } from "node:net";

/**
 * What `bench/sidecar.bench.ts` puts around the sidecar, each a process of its own:
 * `service` answers every request with a score, `sink` takes batches and counts their bytes, and `bare URL` is a
 * reverse proxy with kept connections that captures nothing. `late URL MS` is the same, and answers so much later. Each
 * prints its port.
 */
const [part, target, lateMs = "0"] = process.argv.slice(2);

const ANSWER = Buffer.from(JSON.stringify({ score: 0.7312, label: "late", version: "3" }));

const HANDLERS: Readonly<Record<string, http.RequestListener>> = {
  service: (request, response) => {
    request.resume();
    request.on("end", () => {
      response.writeHead(200, { "content-type": "application/json", "content-length": ANSWER.length });
      response.end(ANSWER);
    });
  },
  sink: (request, response) => {
    request.resume();
    request.on("end", () => {
      response.writeHead(202, { "content-type": "application/json" });
      response.end('{"received":0,"stored":0,"duplicates":0,"rejected":0,"errors":[]}');
    });
  },
  bare: bareProxy(),
  late: (request, response) => {
    setTimeout(() => bareProxy()(request, response), Number(lateMs));
  },
};

/** The proxy that everybody writes: headers as they came, bodies piped, connections kept. */
function bareProxy(): http.RequestListener {
  const agent = new http.Agent({ keepAlive: true });
  const { hostname, port } = new URL(target ?? "http://127.0.0.1");
  return (request, response) => {
    const { method, url, headers } = request;
    const outgoing = http.request({ agent, hostname, port, method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    outgoing.on("error", () => response.writeHead(502).end());
    request.pipe(outgoing);
  };
}

const handler = HANDLERS[part ?? ""];
if (!handler) throw new RangeError(`usage: sidecar-parts.ts ${Object.keys(HANDLERS).join(" | ")} [url]`);
const server = http.createServer(handler).listen(0, "127.0.0.1", () => {
  console.log((server.address() as AddressInfo).port);
});
process.on("SIGTERM", () => process.exit(0));
