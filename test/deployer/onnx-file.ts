import type { Graph, Node, Value } from "../../deployer/onnx/write-model.ts";

export { onnxFile } from "../../deployer/onnx/write-model.ts";

/** y = op(x), x and y of one shape. */
export function oneNode(node: Partial<Node>, shape: Value["shape"] = ["n", 2]): Graph {
  return {
    nodes: [{ op: "Identity", inputs: ["x"], outputs: ["y"], ...node }],
    inputs: [{ name: "x", shape }],
    outputs: [{ name: "y", shape }],
  };
}
