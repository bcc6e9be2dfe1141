import "./without-telemetry.ts";
import { type OnnxValue, Tensor as RuntimeTensor } from "onnxruntime-node";
import { type Binding, binding, initOrt } from "onnxruntime-node/dist/binding.js";
import type { TensorSpec } from "../../schema/signature.ts";
import { datatypeOfElement, datatypeOfRuntime, type RawTensor, RUNTIME_TYPE } from "./raw-tensor.ts";

/** How far the runtime makes a graph over. What `all` does holds on machines of one kind only. */
interface OptimisedFile {
  readonly file: string;
  readonly level: "basic" | "extended";
}

/** What a loaded model takes and gives, as the runtime says it. */
export interface LoadedSignature {
  readonly inputs: readonly TensorSpec[];
  readonly outputs: readonly TensorSpec[];
  /** Names of outputs that are no tensors and cannot be served. */
  readonly unservable: readonly string[];
}

/** Elements of half precision have an array of their own in newer versions of JavaScript, and the runtime wants that. */
const HALF_ARRAY = (globalThis as { readonly Float16Array?: new (words: ArrayBufferLike) => unknown })
  .Float16Array;

/**
 * A model in onnxruntime. `run` is native work on the thread that calls it: nothing else happens there meanwhile.
 *
 * It is made of what onnxruntime-node's own InferenceSession is made of, which puts promises and a turn of the event loop
 * around the same call: with a small model that costs as much as a fifth of the run.
 *
 * @see https://github.com/microsoft/onnxruntime/issues/19611
 */
export class OnnxSession {
  readonly #session: Binding.InferenceSession;
  readonly #names: readonly string[];
  readonly #wanted: Readonly<Record<string, null>>;
  readonly signature: LoadedSignature;

  private constructor(session: Binding.InferenceSession, signature: LoadedSignature) {
    this.#session = session;
    this.signature = signature;
    this.#names = signature.outputs.map(({ name }) => name);
    this.#wanted = Object.fromEntries(this.#names.map((name) => [name, null]));
  }

  /**
   * @param optimised - Where the graph is to be written as the runtime has made it over, when it is wanted.
   * @param threads - Threads for one run. The runtime itself would count the host's, whatever a container may use.
   * @throws Error in the runtime's words when it cannot load the file or the model takes or gives nothing servable.
   */
  static load(
    path: string,
    { threads, optimised }: { readonly threads: number; readonly optimised?: OptimisedFile },
  ): OnnxSession {
    initOrt();
    const session = new binding.InferenceSession();
    session.loadModel(path, {
      executionProviders: ["cpu"],
      executionMode: "sequential",
      graphOptimizationLevel: optimised?.level ?? "all",
      ...(optimised ? { optimizedModelFilePath: optimised.file } : {}),
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      logSeverityLevel: 4, // what goes wrong is thrown, and told to who asked
    });
    return new OnnxSession(session, signatureOf(session));
  }

  /**
   * @param inputs - All that the model takes.
   * @throws Error in the runtime's words.
   */
  run(inputs: readonly RawTensor[]): RawTensor[] {
    const feeds: Record<string, OnnxValue> = {};
    for (const input of inputs) feeds[input.name] = toRuntime(input);
    const outputs = this.#session.run(feeds, this.#wanted, {});
    return this.#names.map((name) => fromRuntime(name, outputs[name] as RuntimeTensor)); // asked for by name
  }

  close(): void {
    this.#session.dispose();
  }
}

function signatureOf({ inputMetadata, outputMetadata }: Binding.InferenceSession): LoadedSignature {
  const inputs = inputMetadata.map((value) => {
    const spec = specOf(value);
    if (spec) return spec;
    throw new Error(`input "${value.name}" is not a tensor of a type that can be sent`);
  });
  const outputs = outputMetadata.map(specOf);
  if (outputs.every((spec) => spec === undefined)) throw new Error("none of the outputs is a tensor");
  return {
    inputs,
    outputs: outputs.filter((spec) => spec !== undefined),
    unservable: outputMetadata.filter((_, at) => outputs[at] === undefined).map(({ name }) => name),
  };
}

function specOf({ name, isTensor, type, shape, symbolicDimensions }: Binding.ValueMetadata) {
  const datatype = isTensor ? datatypeOfElement(type) : undefined;
  if (datatype === undefined) return undefined;
  const lengths = shape.map((length, at) => (length < 0 ? symbolicDimensions[at] || -1 : length));
  return { name, datatype, shape: lengths } satisfies TensorSpec;
}

function toRuntime({ datatype, data, dims }: RawTensor): RuntimeTensor {
  const shaped: readonly number[] = dims;
  if (datatype === "FP16" && HALF_ARRAY && data instanceof Uint16Array)
    return new RuntimeTensor("float16", new HALF_ARRAY(data.buffer) as Uint16Array, shaped);
  // The type and the array go together, see RawTensor; the declaration has an overload per pair and none for all.
  return new RuntimeTensor(RUNTIME_TYPE[datatype] as "float32", data as Float32Array, shaped);
}

function fromRuntime(name: string, { type, data, dims }: RuntimeTensor): RawTensor {
  const datatype = datatypeOfRuntime(type);
  if (!datatype) throw new Error(`output "${name}" is of ${type}`);
  const held = data as RawTensor["data"] & {
    readonly buffer?: ArrayBuffer;
    readonly byteOffset?: number;
    readonly length: number;
  };
  if (datatype === "FP16" && !(data instanceof Uint16Array) && held.buffer)
    return { name, datatype, dims, data: new Uint16Array(held.buffer, held.byteOffset, held.length) };
  return { name, datatype, dims, data: held };
}
