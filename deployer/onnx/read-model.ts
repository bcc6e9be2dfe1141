import { bytesOf, eachField, type Field, numberOf, numbersOf, textOf } from "./wire.ts";

/** A node that turns probabilities into a list of maps, which onnxruntime cannot hand to JavaScript. */
export interface ZipMap {
  /** Name of the tensor of probabilities. */
  readonly input: string;
  /** Name of the list of maps. */
  readonly output: string;
  readonly labels: readonly (string | number)[];
}

/** What has to be known of an ONNX file before a runtime is given it. */
export interface OnnxModel {
  readonly irVersion: number;
  /** Version of each operator set by its domain; that of ONNX itself is "". */
  readonly opsets: ReadonlyMap<string, number>;
  readonly zipMaps: readonly ZipMap[];
  /** Names of the graph's outputs. */
  readonly outputs: readonly string[];
  /** Files beside the model that hold weights, as the model names them. */
  readonly externalFiles: readonly string[];
}

/** Fields of the messages of onnx.proto3 (github.com/onnx/onnx) that are looked at. */
export const MODEL = { irVersion: 1, graph: 7, opsetImport: 8, functions: 25 } as const;
export const GRAPH = { node: 1, initializer: 5, output: 12, sparseInitializer: 15 } as const;
const NODE = { input: 1, output: 2, opType: 4, attribute: 5, domain: 7 } as const;
const ATTRIBUTE = { name: 1, tensor: 5, graph: 6, ints: 8, strings: 9, tensors: 10, graphs: 11 } as const;
const TENSOR = { externalData: 13 } as const;
const SPARSE_TENSOR = { values: 1, indices: 2 } as const;
const OPSET = { domain: 1, version: 2 } as const;
const FUNCTION = { node: 7 } as const;
const ENTRY = { key: 1, value: 2 } as const;

/** Graphs within graphs; real ones have three or four. */
const DEEPEST = 32;

/**
 * Reads what there is to know of an ONNX file without its weights.
 *
 * @param file - The whole file; nothing of it is copied.
 * @throws RangeError when it is no ONNX file, or is cut off.
 */
export function readModel(file: Uint8Array): OnnxModel {
  const opsets = new Map<string, number>();
  const externalFiles = new Set<string>();
  const zipMaps: ZipMap[] = [];
  const outputs: string[] = [];
  let irVersion: number | undefined;
  let graphs = 0;
  eachField(file, (field) => {
    if (field.number === MODEL.irVersion) irVersion = numberOf(field);
    else if (field.number === MODEL.opsetImport) readOpset(bytesOf(field), opsets);
    else if (field.number === MODEL.functions) {
      eachField(bytesOf(field), (part) => {
        if (part.number === FUNCTION.node) gatherOfNode(bytesOf(part), externalFiles, 1);
      });
    } else if (field.number === MODEL.graph) {
      graphs += 1;
      gatherExternal(bytesOf(field), externalFiles, 0);
      eachField(bytesOf(field), (part) => {
        if (part.number === GRAPH.output) outputs.push(nameOf(bytesOf(part)));
        if (part.number !== GRAPH.node) return;
        const zipMap = zipMapOf(bytesOf(part));
        if (zipMap) zipMaps.push(zipMap);
      });
    }
  });
  if (irVersion === undefined || graphs !== 1)
    throw new RangeError(
      graphs === 0 ? "it holds no graph" : "it does not say which version of ONNX it is in",
    );
  return { irVersion, opsets, zipMaps, outputs, externalFiles: [...externalFiles] };
}

function readOpset(message: Uint8Array, opsets: Map<string, number>): void {
  let domain = "";
  let version = 0;
  eachField(message, (field) => {
    if (field.number === OPSET.domain) domain = textOf(field);
    if (field.number === OPSET.version) version = numberOf(field);
  });
  opsets.set(domain === "ai.onnx" ? "" : domain, version);
}

/** The name of a graph's input or output (ValueInfoProto). */
export function nameOf(message: Uint8Array): string {
  let name = "";
  eachField(message, (field) => {
    if (field.number === 1) name = textOf(field);
  });
  return name;
}

/** The node as a ZipMap; undefined when it is another. */
export function zipMapOf(node: Uint8Array): ZipMap | undefined {
  const inputs: string[] = [];
  const outputs: string[] = [];
  const attributes: Uint8Array[] = [];
  let opType = "";
  let domain = "";
  eachField(node, (field) => {
    if (field.number === NODE.input) inputs.push(textOf(field));
    else if (field.number === NODE.output) outputs.push(textOf(field));
    else if (field.number === NODE.opType) opType = textOf(field);
    else if (field.number === NODE.domain) domain = textOf(field);
    else if (field.number === NODE.attribute) attributes.push(bytesOf(field));
  });
  if (opType !== "ZipMap" || domain !== "ai.onnx.ml") return undefined;
  const [input] = inputs;
  const [output] = outputs;
  if (input === undefined || output === undefined) throw new RangeError("a ZipMap without input or output");
  return { input, output, labels: attributes.flatMap(labelsOf) };
}

function labelsOf(attribute: Uint8Array): (string | number)[] {
  let name = "";
  const labels: (string | number)[] = [];
  eachField(attribute, (field) => {
    if (field.number === ATTRIBUTE.name) name = textOf(field);
    else if (field.number === ATTRIBUTE.ints) labels.push(...numbersOf(field));
    else if (field.number === ATTRIBUTE.strings) labels.push(textOf(field));
  });
  return name.startsWith("classlabels_") ? labels : [];
}

/** Collects the names of files that tensors of a graph are in, those of inner graphs too. */
function gatherExternal(graph: Uint8Array, into: Set<string>, depth: number): void {
  if (depth > DEEPEST) throw new RangeError(`graphs nested more than ${DEEPEST} deep`);
  eachField(graph, (field) => {
    if (field.number === GRAPH.initializer) gatherOfTensor(bytesOf(field), into);
    else if (field.number === GRAPH.node) gatherOfNode(bytesOf(field), into, depth);
    else if (field.number === GRAPH.sparseInitializer) gatherOfSparse(bytesOf(field), into);
  });
}

function gatherOfNode(node: Uint8Array, into: Set<string>, depth: number): void {
  eachField(node, (field) => {
    if (field.number !== NODE.attribute) return;
    eachField(bytesOf(field), (part) => {
      if (part.number === ATTRIBUTE.tensor || part.number === ATTRIBUTE.tensors)
        gatherOfTensor(bytesOf(part), into);
      else if (part.number === ATTRIBUTE.graph || part.number === ATTRIBUTE.graphs)
        gatherExternal(bytesOf(part), into, depth + 1);
      else if (part.number === 22 || part.number === 23) gatherOfSparse(bytesOf(part), into);
    });
  });
}

function gatherOfSparse(tensor: Uint8Array, into: Set<string>): void {
  eachField(tensor, (field) => {
    if (field.number === SPARSE_TENSOR.values || field.number === SPARSE_TENSOR.indices)
      gatherOfTensor(bytesOf(field), into);
  });
}

function gatherOfTensor(tensor: Uint8Array, into: Set<string>): void {
  eachField(tensor, (field: Field) => {
    if (field.number !== TENSOR.externalData) return;
    let key = "";
    let value = "";
    eachField(bytesOf(field), (part) => {
      if (part.number === ENTRY.key) key = textOf(part);
      if (part.number === ENTRY.value) value = textOf(part);
    });
    if (key === "location") into.add(value);
  });
}
