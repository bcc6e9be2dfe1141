import { PbfWriter } from "pbf";
import { GRAPH, MODEL, nameOf, type OnnxModel, type ZipMap, zipMapOf } from "./read-model.ts";
import { bytesOf, eachField } from "./wire.ts";

const LENGTH_DELIMITED = 2;
const FLOAT = 1;
/** An operator set that has Identity, for a file that imports none of ONNX's own. */
const IDENTITY_OPSET = 13;

/**
 * The same model with its probabilities as an output: each ZipMap whose list of maps leaves the graph becomes an
 * Identity of the same name, and the output a tensor. A ZipMap inside the graph stays.
 *
 * @param file - The whole file as it was given.
 * @param model - What `readModel` says of it.
 * @returns Undefined when there is nothing to be changed.
 */
export function withoutZipMap(file: Uint8Array, model: OnnxModel): Uint8Array | undefined {
  const leaving = new Map(
    model.zipMaps
      .filter(({ output }) => model.outputs.includes(output))
      .map((zipMap) => [zipMap.output, zipMap]),
  );
  if (leaving.size === 0) return undefined;
  const writer = new PbfWriter(new Uint8Array(file.length + 1024));
  eachField(file, ({ number, value, at }) => {
    if (number === MODEL.graph)
      writeBytes(writer, number, rewrittenGraph(bytesOf({ number, value }), leaving));
    else writeRaw(writer, file.subarray(at.from, at.to));
  });
  if (!model.opsets.has("")) {
    writer.writeMessage(
      MODEL.opsetImport,
      (version, opset) => {
        opset.writeVarintField(2, version);
      },
      IDENTITY_OPSET,
    );
  }
  return writer.finish();
}

function rewrittenGraph(graph: Uint8Array, leaving: ReadonlyMap<string, ZipMap>): Uint8Array {
  const writer = new PbfWriter(new Uint8Array(graph.length + 1024));
  eachField(graph, ({ number, value, at }) => {
    const zipMap = number === GRAPH.node ? zipMapOf(bytesOf({ number, value })) : undefined;
    if (zipMap && leaving.has(zipMap.output)) {
      writer.writeMessage(number, writeIdentity, zipMap);
      return;
    }
    const output = number === GRAPH.output ? nameOf(bytesOf({ number, value })) : undefined;
    if (output !== undefined && leaving.has(output)) writer.writeMessage(number, writeFloatOutput, output);
    else writeRaw(writer, graph.subarray(at.from, at.to));
  });
  return writer.finish();
}

function writeIdentity({ input, output }: ZipMap, node: PbfWriter): void {
  node.writeStringField(1, input);
  node.writeStringField(2, output);
  node.writeStringField(3, `probabilities of ${output}`);
  node.writeStringField(4, "Identity");
}

/** Without a shape: the runtime finds it, and one that it does not find itself could be wrong. */
function writeFloatOutput(name: string, valueInfo: PbfWriter): void {
  valueInfo.writeStringField(1, name);
  valueInfo.writeMessage(
    2,
    (element: number, type) => {
      type.writeMessage(1, (of: number, tensor) => tensor.writeVarintField(1, of), element);
    },
    FLOAT,
  );
}

function writeBytes(writer: PbfWriter, number: number, bytes: Uint8Array): void {
  writer.writeTag(number, LENGTH_DELIMITED);
  writer.writeVarint(bytes.length);
  writeRaw(writer, bytes);
}

function writeRaw(writer: PbfWriter, bytes: Uint8Array): void {
  writer.realloc(bytes.length);
  writer.buf.set(bytes, writer.pos);
  writer.pos += bytes.length;
}
