import type { TensorSpec } from "../../schema/signature.ts";
import { takesBatches, zeroInputs } from "../onnx/example-input.ts";
import type { RawTensor } from "../onnx/raw-tensor.ts";
import { type LoadedSignature, OnnxSession } from "../onnx/session.ts";
import { ModelThread, type ThreadRun } from "./model-thread.ts";

/** Longest that a run may keep the replica from answering anything else. */
const INLINE_MS = 2;
/** Instances of the second measurement. */
const MANY = 64;
/** Most instances that are run inline: two measurements do not tell of far more than they were made with. */
const MOST_INLINE_ROWS = 64 * MANY;
const MEASURE_MS = 150;
const MOST_RUNS = 30;

/** Where a model runs, as it was measured when it was loaded. */
export interface InferencePlace {
  /** `inline`: on the thread that answers, up to `inline_rows` instances at once; beyond that, or always, in one of its own. */
  readonly place: "inline" | "thread";
  readonly inline_rows: number;
  /** Median of a run of one instance. */
  readonly run_ms: number;
  /** What each further instance adds; null for a model that takes no batch. */
  readonly row_ms: number | null;
  readonly threads: number;
}

/**
 * A loaded model. One that takes a moment is run on the thread that answers, which is faster than handing it to another;
 * any other has a thread of its own, since a run stops everything else on its thread.
 */
export class ModelRunner {
  readonly #file: string;
  readonly #session: OnnxSession | undefined;
  #thread: Promise<ModelThread> | undefined;
  readonly signature: LoadedSignature;
  readonly place: InferencePlace;

  private constructor(
    file: string,
    session: OnnxSession | undefined,
    signature: LoadedSignature,
    place: InferencePlace,
  ) {
    this.#file = file;
    this.#session = session;
    this.signature = signature;
    this.place = place;
  }

  /** @throws Error in the runtime's words. */
  static async load(
    file: string,
    { threads, sample }: { readonly threads: number; readonly sample: readonly RawTensor[] | undefined },
  ): Promise<ModelRunner> {
    const session = OnnxSession.load(file, { threads });
    const { signature } = session;
    const place = { ...measure(session, sample), threads };
    if (place.place === "inline") return new ModelRunner(file, session, signature, place);
    session.close();
    const runner = new ModelRunner(file, undefined, signature, place);
    await runner.#threadOf();
    return runner;
  }

  /**
   * What came of it: at once where the model is run on this thread.
   *
   * @param rows - Instances in the inputs: where they are run depends on it.
   */
  run(inputs: readonly RawTensor[], rows: number): ThreadRun | Promise<ThreadRun> {
    if (!this.#session || rows > this.place.inline_rows)
      return this.#threadOf().then((thread) => thread.run(inputs));
    const started = performance.now();
    const outputs = this.#session.run(inputs);
    return { outputs, runMs: performance.now() - started };
  }

  async close(): Promise<void> {
    await (await this.#thread?.catch(() => undefined))?.close();
    this.#session?.close();
  }

  #threadOf(): Promise<ModelThread> {
    this.#thread ??= ModelThread.start({ modelFile: this.#file, threads: this.place.threads }).catch(
      (error: unknown) => {
        this.#thread = undefined; // the next to ask tries again
        throw error;
      },
    );
    return this.#thread;
  }
}

/** Runs the model until there is a median, which warms it up too. A model that no input is known for gets a thread. */
function measure(
  session: OnnxSession,
  sample: readonly RawTensor[] | undefined,
): Omit<InferencePlace, "threads"> {
  const { inputs } = session.signature;
  const one = median(session, sample ?? inputsOf(inputs, 1));
  if (one === undefined) return { place: "thread", inline_rows: 0, run_ms: Number.NaN, row_ms: null };
  if (!takesBatches(inputs)) {
    const place = one <= INLINE_MS ? "inline" : "thread";
    return { place, inline_rows: place === "inline" ? 1 : 0, run_ms: one, row_ms: null };
  }
  const many = one > INLINE_MS ? undefined : median(session, inputsOf(inputs, MANY));
  const perRow = many === undefined ? one : Math.max((many - one) / (MANY - 1), 1e-6);
  const rows = Math.min(Math.floor((INLINE_MS - one) / perRow) + 1, MOST_INLINE_ROWS);
  if (one > INLINE_MS || rows < 1) return { place: "thread", inline_rows: 0, run_ms: one, row_ms: perRow };
  return { place: "inline", inline_rows: rows, run_ms: one, row_ms: perRow };
}

function inputsOf(inputs: readonly TensorSpec[], batch: number): readonly RawTensor[] | undefined {
  try {
    return zeroInputs(inputs, batch);
  } catch {
    return undefined; // too large to be made up
  }
}

function median(session: OnnxSession, inputs: readonly RawTensor[] | undefined): number | undefined {
  if (!inputs) return undefined;
  const times: number[] = [];
  const deadline = performance.now() + MEASURE_MS;
  try {
    session.run(inputs); // the first run makes its room
    do {
      const started = performance.now();
      session.run(inputs);
      times.push(performance.now() - started);
    } while (times.length < MOST_RUNS && performance.now() < deadline);
  } catch {
    return undefined; // it does not take zeros: the version's sample is what tells whether it works
  }
  return times.sort((a, b) => a - b)[times.length >> 1];
}
