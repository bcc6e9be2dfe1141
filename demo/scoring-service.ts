import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { parseArgs } from "node:util";
import { z } from "zod";
import { type LateModel, scoreFlight } from "./model.ts";

/*
 * A small scoring service, a process of its own as in real life. It knows nothing of Leeway.
 *
 *   POST /predict  {"rows": [{"hour": "17h", "weekday": "Fri", "distance": 733, "origin": "ORD", "destination": "LGA"}]}
 *                  {"version": "1", "predictions": [{"probability": 0.31}]}
 *   PUT /model     {"version": "2", "model": {…}}: from the next request on
 */

const MOST_BODY_BYTES = 32 * 1024 * 1024;

const predictRequest = z.strictObject({
  rows: z
    .array(
      z.strictObject({
        hour: z.string(),
        weekday: z.string(),
        distance: z.number(),
        origin: z.string(),
        destination: z.string(),
      }),
    )
    .max(100_000),
});
const modelUpload = z.strictObject({
  version: z.string(),
  model: z.strictObject({
    intercept: z.number(),
    distance: z.number(),
    categories: z.record(z.string(), z.number()),
  }),
});
interface Live {
  readonly version: string;
  readonly model: LateModel;
}
interface Answer {
  readonly status: number;
  readonly body: unknown;
}

const { values } = parseArgs({ options: { model: { type: "string" } } });
if (values.model === undefined) {
  process.stderr.write("scoring-service: --model FILE is missing: JSON with version and model\n");
  process.exit(2);
}
let live: Live = modelUpload.parse(JSON.parse(readFileSync(values.model, "utf8")));

const server = createServer((request, response) => {
  void answer(request)
    .catch((error: unknown): Answer => {
      const wrong =
        error instanceof SyntaxError || error instanceof z.ZodError || error instanceof RangeError;
      return { status: wrong ? 400 : 500, body: { error: String(error) } };
    })
    .then(({ status, body }) => {
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
});
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  process.stdout.write(`${JSON.stringify({ msg: "listening", url: `http://127.0.0.1:${port}` })}\n`);
});
process.on("SIGTERM", () => {
  server.close(() => process.exit(0));
  server.closeIdleConnections();
});

async function answer(request: IncomingMessage): Promise<Answer> {
  const call = `${request.method} ${request.url}`;
  if (call === "GET /healthz") return { status: 200, body: { version: live.version } };
  if (call === "POST /predict") {
    const { rows } = predictRequest.parse(JSON.parse(await bodyOf(request)));
    const { version, model } = live;
    const predictions = rows.map((row) => ({ probability: scoreFlight(model, row) }));
    return { status: 200, body: { version, predictions } };
  }
  if (call === "PUT /model") {
    live = modelUpload.parse(JSON.parse(await bodyOf(request)));
    return { status: 200, body: { version: live.version } };
  }
  return {
    status: 404,
    body: { error: `${call} is not known here: POST /predict, PUT /model, GET /healthz` },
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > MOST_BODY_BYTES) throw new RangeError(`the body is longer than ${MOST_BODY_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString("utf8");
}
