import { InferenceSession, Tensor as RuntimeTensor } from "onnxruntime-node";
import type { TensorSpec } from "../../schema/signature.ts";
import { datatypeOfRuntime, type RawTensor, RUNTIME_TYPE } from "./raw-tensor.ts";

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
 * @see https://github.com/microsoft/onnxruntime/issues/19611
 */
export class OnnxSession {
  readonly #session: InferenceSession;
  readonly #names: readonly string[];
  readonly signature: LoadedSignature;

  private constructor(session: InferenceSession, signature: LoadedSignature) {
    this.#session = session;
    this.signature = signature;
    this.#names = signature.outputs.map(({ name }) => name);
  }

  /**
   * @param threads - Threads for one run. The runtime itself would count the host's, whatever a container may use.
   * @throws Error in the runtime's words when it cannot load the file or the model takes or gives nothing servable.
   */
  static async load(path: string, { threads }: { readonly threads: number }): Promise<OnnxSession> {
    const session = await InferenceSession.create(path, {
      executionProviders: ["cpu"],
      executionMode: "sequential",
      graphOptimizationLevel: "all",
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      logSeverityLevel: 4, // what goes wrong is thrown, and told to who asked
    });
    return new OnnxSession(session, signatureOf(session));
  }

  async run(inputs: readonly RawTensor[]): Promise<RawTensor[]> {
    const feeds: Record<string, RuntimeTensor> = {};
    for (const input of inputs) feeds[input.name] = toRuntime(input);
    const outputs = await this.#session.run(feeds, this.#names);
    return this.#names.map((name) => fromRuntime(name, outputs[name] as RuntimeTensor)); // asked for by name
  }

  async close(): Promise<void> {
    await this.#session.release();
  }
}

function signatureOf({ inputMetadata, outputMetadata }: InferenceSession): LoadedSignature {
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

function specOf(value: InferenceSession.ValueMetadata): TensorSpec | undefined {
  if (!value.isTensor) return undefined;
  const datatype = datatypeOfRuntime(value.type);
  if (datatype === undefined) return undefined;
  return { name: value.name, datatype, shape: value.shape.map((length) => (length === "" ? -1 : length)) };
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
