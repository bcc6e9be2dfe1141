import http from "node:http";
import type { AddressInfo } from "node:net";

/**
 * What `bench/sidecar.bench.ts` puts around the sidecar, each a process of its own:
 * `service` answers every request with a score, `sink` takes batches and counts their bytes, and `bare URL` is a
 * reverse proxy with kept connections that captures nothing. `late URL MS` is the same, and answers so much later. Each
 * prints its port.
 */
const [part, target, lateMs = "0"] = process.argv.slice(2);

/** An answer as the caller's protocol has it. */
const [ANSWER, V1_ANSWER, V2_ANSWER] = [
  { score: 0.7312, label: "late", version: "3" },
  { predictions: [0.7312] },
  {
    model_name: "bench",
    outputs: [{ name: "score", shape: [1, 1], datatype: "FP64", data: [0.7312] }],
  },
].map((answer) => Buffer.from(JSON.stringify(answer))) as [Buffer, Buffer, Buffer];

function answerTo(url = ""): Buffer {
  if (url.startsWith("/v1/")) return V1_ANSWER;
  return url.startsWith("/v2/") ? V2_ANSWER : ANSWER;
}

const HANDLERS: Readonly<Record<string, http.RequestListener>> = {
  service: (request, response) => {
    request.resume();
    request.on("end", () => {
      const answer = answerTo(request.url);
      response.writeHead(200, { "content-type": "application/json", "content-length": answer.length });
      response.end(answer);
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
