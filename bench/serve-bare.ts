import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { InferenceSession, Tensor } from "onnxruntime-node";

/** The least that a service written by hand does for a V2 request: parse, run, write. Prints its port. */
interface Request {
  readonly inputs: readonly {
    readonly name: string;
    readonly shape: readonly number[];
    readonly data: readonly number[];
  }[];
}

const DATATYPES: Readonly<Record<string, string>> = { float32: "FP32", string: "BYTES", int64: "INT64" };
const session = await InferenceSession.create(process.argv[2] ?? "", {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
});
const server = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on("data", (part: Buffer) => parts.push(part));
  request.on("end", async () => {
    const { inputs } = JSON.parse(Buffer.concat(parts).toString()) as Request;
    const feeds = Object.fromEntries(
      inputs.map(({ name, shape, data }) => [name, new Tensor("float32", Float32Array.from(data), shape)]),
    );
    const results = await session.run(feeds);
    const outputs = Object.entries(results).map(([name, { type, dims, data }]) => ({
      name,
      datatype: DATATYPES[type],
      shape: dims,
      data: Array.from(data as Float32Array),
    }));
    const body = JSON.stringify({ model_name: "m", model_version: "1", outputs });
    response.writeHead(200, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    });
    response.end(body);
  });
});
server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
