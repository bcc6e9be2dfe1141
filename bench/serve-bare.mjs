// @ts-check
import { createServer } from "node:http";
import { InferenceSession, Tensor } from "onnxruntime-node";

// The least that a service written by hand does for a V2 request: parse, run, write. Prints its port. Plain JavaScript,
// so that no loader stands between it and Node, as there is none in the program that it is compared with.
const DATATYPES = { float32: "FP32", string: "BYTES", int64: "INT64" };
const session = await InferenceSession.create(process.argv[2] ?? "", {
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
});
const server = createServer((request, response) => {
  const parts = [];
  request.on("data", (part) => parts.push(part));
  request.on("end", async () => {
    const { inputs } = JSON.parse(Buffer.concat(parts).toString());
    const feeds = {};
    for (const { name, shape, data } of inputs)
      feeds[name] = new Tensor("float32", Float32Array.from(data), shape);
    const results = await session.run(feeds);
    const outputs = Object.entries(results).map(([name, { type, dims, data }]) => ({
      name,
      datatype: DATATYPES[type],
      shape: dims,
      data: Array.from(data),
    }));
    const body = JSON.stringify({ model_name: "m", model_version: "1", outputs });
    response.writeHead(200, {
      "content-type": "application/json",
      "content-length": Buffer.byteLength(body),
    });
    response.end(body);
  });
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
