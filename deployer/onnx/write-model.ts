import { PbfWriter } from "pbf";

/** An attribute of a node. */
type Attribute =
  | { readonly name: string; readonly ints: readonly number[] }
  | { readonly name: string; readonly int: number }
  | { readonly name: string; readonly float: number }
  | { readonly name: string; readonly floats: readonly number[] }
  | { readonly name: string; readonly strings: readonly string[] }
  | { readonly name: string; readonly graph: Graph }
  | { readonly name: string; readonly tensor: Constant };

export interface Node {
  readonly op: string;
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: readonly Attribute[];
}

export interface Value {
  readonly name: string;
  /** Number of the element type in onnx.proto3: 1, which it is when absent, is FLOAT, 8 STRING. */
  readonly type?: number;
  readonly shape: readonly (number | string)[];
}

interface Constant {
  readonly name: string;
  readonly type: number;
  readonly dims: readonly number[];
  readonly ints?: readonly number[];
  readonly floats?: readonly number[];
  /** File beside the model that holds the values. */
  readonly location?: string;
}

/** A graph of nodes: each is a tensor's name to the next. */
export interface Graph {
  readonly nodes: readonly Node[];
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  readonly constants?: readonly Constant[];
}

/**
 * An ONNX file of these parts. Whether they go together is not looked at: the runtime says that when it loads it.
 *
 * @param opsets - Version of each operator set by its domain; that of ONNX itself is "".
 * @see https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3 for the numbers of the fields
 */
export function onnxFile(graph: Graph, opsets: Readonly<Record<string, number>> = { "": 15 }): Uint8Array {
  const writer = new PbfWriter();
  writer.writeVarintField(1, 8);
  for (const [domain, version] of Object.entries(opsets)) {
    writer.writeMessage(
      8,
      (of: number, opset) => {
        if (domain !== "") opset.writeStringField(1, domain);
        opset.writeVarintField(2, of);
      },
      version,
    );
  }
  writer.writeMessage(7, writeGraph, graph);
  return writer.finish();
}

function writeGraph(graph: Graph, writer: PbfWriter): void {
  for (const node of graph.nodes) writer.writeMessage(1, writeNode, node);
  writer.writeStringField(2, "graph");
  for (const constant of graph.constants ?? []) writer.writeMessage(5, writeTensor, constant);
  for (const value of graph.inputs) writer.writeMessage(11, writeValue, value);
  for (const value of graph.outputs) writer.writeMessage(12, writeValue, value);
}

function writeNode(node: Node, writer: PbfWriter): void {
  for (const input of node.inputs) writer.writeStringField(1, input);
  for (const output of node.outputs) writer.writeStringField(2, output);
  writer.writeStringField(4, node.op);
  for (const attribute of node.attributes ?? []) writer.writeMessage(5, writeAttribute, attribute);
  if (node.domain !== undefined) writer.writeStringField(7, node.domain);
}

function writeAttribute(attribute: Attribute, writer: PbfWriter): void {
  writer.writeStringField(1, attribute.name);
  const kind = (type: number) => writer.writeVarintField(20, type);
  if ("int" in attribute) {
    writer.writeVarintField(3, attribute.int);
    kind(2);
  } else if ("float" in attribute) {
    writer.writeFloatField(2, attribute.float);
    kind(1);
  } else if ("floats" in attribute) {
    writer.writePackedFloat(7, [...attribute.floats]);
    kind(6);
  } else if ("ints" in attribute) {
    for (const value of attribute.ints) writer.writeVarintField(8, value);
    kind(7);
  } else if ("strings" in attribute) {
    for (const value of attribute.strings) writer.writeStringField(9, value);
    kind(8);
  } else if ("graph" in attribute) {
    writer.writeMessage(6, writeGraph, attribute.graph);
    kind(5);
  } else {
    writer.writeMessage(5, writeTensor, attribute.tensor);
    kind(4);
  }
}

function writeTensor(tensor: Constant, writer: PbfWriter): void {
  for (const length of tensor.dims) writer.writeVarintField(1, length);
  writer.writeVarintField(2, tensor.type);
  if (tensor.floats) writer.writePackedFloat(4, [...tensor.floats]);
  if (tensor.ints) writer.writePackedVarint(7, [...tensor.ints]);
  writer.writeStringField(8, tensor.name);
  if (tensor.location === undefined) return;
  const entry = (key: string, value: string) =>
    writer.writeMessage(
      13,
      (of: string, pair) => {
        pair.writeStringField(1, key);
        pair.writeStringField(2, of);
      },
      value,
    );
  entry("location", tensor.location);
  writer.writeVarintField(14, 1);
}

function writeValue({ name, type = 1, shape }: Value, writer: PbfWriter): void {
  writer.writeStringField(1, name);
  writer.writeMessage(
    2,
    (_: null, value) => {
      value.writeMessage(
        1,
        (__: null, tensor) => {
          tensor.writeVarintField(1, type);
          tensor.writeMessage(
            2,
            (of: Value["shape"], dims) => {
              for (const length of of) {
                dims.writeMessage(
                  1,
                  (each: number | string, dim) => {
                    if (typeof each === "number") dim.writeVarintField(1, each);
                    else if (each !== "") dim.writeStringField(2, each);
                  },
                  length,
                );
              }
            },
            shape,
          );
        },
        null,
      );
    },
    null,
  );
}
