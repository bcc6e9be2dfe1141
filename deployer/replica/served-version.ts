import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { checkShape, type RunInputs } from "../../protocols/model-input.ts";
import { short, type Tensor } from "../../protocols/tensor.ts";
import type { MicroBatching, PlannedVersion, ScoringLimits } from "../../schema/deployment.ts";
import { ServiceError } from "../../schema/errors.ts";
import type { ModelSignature } from "../../schema/signature.ts";
import { wordsOf } from "../onnx/check-model.ts";
import { takesBatches } from "../onnx/example-input.ts";
import { type RawTensor, type RuntimeDatatype, rawTensor, tensorOf } from "../onnx/raw-tensor.ts";
import { emptyCounts, type ScoringCounts } from "./counts.ts";
import { type BatchedRun, MicroBatch } from "./micro-batch.ts";
import { type InferencePlace, ModelRunner } from "./model-runner.ts";
import type { ThreadRun } from "./model-thread.ts";
import { Processing } from "./processing.ts";
import { differenceFrom, sampleTensor } from "./self-check.ts";

interface ServingOptions {
  readonly threads: number;
  readonly limits: ScoringLimits;
  readonly microBatching: MicroBatching | undefined;
}

/** How much of an average a new run makes. */
const NEWEST = 0.1;
/** More would be hundreds of megabytes as text, and nothing else answered while they are written. */
const MOST_ANSWERED = 2 ** 25;

/** A version of a model, loaded and checked. */
export class ServedVersion {
  readonly version: string;
  readonly signature: ModelSignature;
  readonly processing: Processing | undefined;
  readonly #runner: ModelRunner;
  readonly #limits: ScoringLimits;
  readonly #batch: MicroBatch | undefined;
  readonly #specs: ReadonlyMap<string, ModelSignature["inputs"][number]>;
  readonly counts = emptyCounts();
  #waiting = 0;
  #averageMs: number;

  private constructor(
    plan: PlannedVersion,
    runner: ModelRunner,
    {
      limits,
      microBatching,
      processing,
    }: Omit<ServingOptions, "threads"> & { readonly processing: Processing | undefined },
  ) {
    this.version = plan.version;
    this.processing = processing;
    this.#runner = runner;
    this.#limits = limits;
    this.#batch =
      microBatching && new MicroBatch(microBatching, (inputs, rows) => this.#runner.run(inputs, rows));
    this.#averageMs = Number.isFinite(runner.place.run_ms) ? runner.place.run_ms : 1;
    const { feature_names, class_labels } = plan.signature;
    this.signature = {
      inputs: [...runner.signature.inputs],
      outputs: runner.signature.outputs.map(
        (spec) => plan.signature.outputs.find(({ name }) => name === spec.name) ?? spec,
      ),
      ...(feature_names ? { feature_names } : {}),
      ...(class_labels ? { class_labels } : {}),
    };
    this.#specs = new Map(this.signature.inputs.map((spec) => [spec.name, spec]));
  }

  /**
   * Loads a version: its file must be the one that was registered, and its sample must give what was recorded. A file can
   * be valid and wrong.
   *
   * @throws ServiceError `unavailable` with the reason.
   */
  static async load(
    plan: PlannedVersion,
    { threads, limits, microBatching }: ServingOptions,
  ): Promise<ServedVersion> {
    const refuse = (why: string) =>
      new ServiceError("unavailable", `version ${plan.version} cannot be served: ${why}`);
    if (plan.sha256 !== undefined && (await hashOf(plan.model_file)) !== plan.sha256)
      throw refuse("its file is not the one that was registered (the hash differs)");
    if (plan.module?.sha256 !== undefined && (await hashOf(plan.module.file)) !== plan.module.sha256)
      throw refuse("its module is not the one that was registered (the hash differs)");
    try {
      const sample = plan.sample?.inputs.map((tensor) =>
        rawTensor(sampleTensor(tensor), tensor.datatype as RuntimeDatatype),
      ); // loaded models have no other
      const runner = await ModelRunner.load(plan.model_file, { threads, sample });
      const processing = plan.module && (await Processing.load(plan.module.file));
      const served = new ServedVersion(plan, runner, { limits, microBatching, processing });
      const { inputs, outputs: given } = served.signature;
      if (microBatching && !(takesBatches(inputs) && takesBatches(given)))
        throw refuse("micro-batching needs a model whose inputs and outputs have an open first dimension");
      if (plan.sample) {
        const outputs = await served.run([plan.sample.inputs.map(sampleTensor)], 1);
        const difference = differenceFrom(plan.sample, outputs);
        if (difference !== undefined) throw refuse(`its self-check failed: ${difference}`);
      }
      return served;
    } catch (error) {
      if (error instanceof ServiceError && error.code === "unavailable") throw error;
      throw refuse(wordsOf(error));
    }
  }

  get place(): InferencePlace {
    return this.#runner.place;
  }

  /**
   * The outputs for the inputs of one request: at once where the model is run on this thread, which a promise would be a
   * tenth of.
   *
   * @param runs - One, or for a model without a batch one per instance.
   * @param rows - Instances in it.
   * @throws ServiceError `invalid-input` when the inputs are not the model's, `unavailable` when the wait would be too
   *   long, `timeout`, or `upstream-failed` in the runtime's words.
   */
  run(runs: readonly RunInputs[], rows: number): readonly Tensor[] | Promise<readonly Tensor[]> {
    const raw = runs.map((inputs) => this.#rawInputs(inputs));
    this.#refuseWhenBusy();
    const [first, ...others] = raw;
    if (!first || others.length > 0) return this.#runInTurn(raw, rows);
    let run: ThreadRun | Promise<ThreadRun>;
    try {
      run = this.#batch ? this.#batch.run(first, rows) : this.#runner.run(first, rows);
    } catch (error) {
      throw asFailure(error);
    }
    if (run instanceof Promise) return this.#waitFor(run, rows);
    this.#count({ runs: 1, rows, runMs: run.runMs, queueMs: 0 });
    return tensorsOf(run.outputs);
  }

  async #waitFor(run: Promise<ThreadRun | BatchedRun>, rows: number): Promise<readonly Tensor[]> {
    const asked = performance.now();
    this.#waiting += 1;
    try {
      const done = await this.#inTime(run, asked);
      const { outputs, runMs } = done;
      const runs = "runs" in done ? done.runs : 1;
      this.#count({ runs, rows, runMs, queueMs: performance.now() - asked - runMs });
      return tensorsOf(outputs);
    } catch (error) {
      throw asFailure(error);
    } finally {
      this.#waiting -= 1;
    }
  }

  async #runInTurn(raw: readonly RawTensor[][], rows: number): Promise<readonly Tensor[]> {
    const asked = performance.now();
    this.#waiting += 1;
    try {
      const results: (readonly RawTensor[])[] = [];
      let runMs = 0;
      for (const inputs of raw) {
        const run = this.#runner.run(inputs, 1);
        const result = run instanceof Promise ? await this.#inTime(run, asked) : run;
        results.push(result.outputs);
        runMs += result.runMs;
      }
      this.#count({ runs: raw.length, rows, runMs, queueMs: performance.now() - asked - runMs });
      return joinedRuns(results);
    } catch (error) {
      throw asFailure(error);
    } finally {
      this.#waiting -= 1;
    }
  }

  #count(scored: {
    readonly runs: number;
    readonly rows: number;
    readonly runMs: number;
    readonly queueMs: number;
  }): void {
    this.#averageMs += (scored.runMs - this.#averageMs) * NEWEST;
    this.counts.runs += scored.runs;
    this.counts.rows += scored.rows;
    this.counts.runSeconds += scored.runMs / 1000;
    this.counts.queueSeconds += Math.max(0, scored.queueMs) / 1000;
    this.counts.lastScoredMs = Date.now();
  }

  close(): Promise<void> {
    return this.#runner.close();
  }

  /**
   * Only a model in a thread has a queue: one that is run inline takes a moment, and what its runs took cannot be told
   * from what the machine had to do besides.
   */
  #refuseWhenBusy(): void {
    if (this.place.place === "inline") return;
    const waitMs = this.#waiting * this.#averageMs;
    if (waitMs <= this.#limits.max_wait_ms) return;
    throw new ServiceError(
      "unavailable",
      `the model is busy: ${this.#waiting} requests are before this one, which would take ${Math.ceil(waitMs)} ms`,
      { retryAfterSeconds: Math.max(1, Math.ceil(waitMs / 1000)) },
    );
  }

  #rawInputs(inputs: RunInputs): RawTensor[] {
    for (const [at, { name }] of inputs.entries()) {
      if (inputs.findIndex((each) => each.name === name) !== at)
        throw new ServiceError("invalid-input", `input "${short(name)}" comes twice`);
      if (!this.#specs.has(name))
        throw new ServiceError(
          "invalid-input",
          `the model has no input "${short(name)}": it has ${this.#names()}`,
        );
    }
    return this.signature.inputs.map((spec) => {
      const tensor = inputs.find(({ name }) => name === spec.name);
      if (!tensor)
        throw new ServiceError(
          "invalid-input",
          `input "${short(spec.name)}" is missing: the model has ${this.#names()}`,
        );
      if (tensor.datatype !== spec.datatype)
        throw new ServiceError(
          "invalid-input",
          `input "${short(spec.name)}" is ${tensor.datatype} and the model takes ${spec.datatype}`,
        );
      checkShape(spec, tensor.shape);
      return rawTensor(tensor, tensor.datatype as RuntimeDatatype); // that of a loaded model
    });
  }

  #names(): string {
    return this.signature.inputs.map(({ name }) => `"${name}"`).join(", ");
  }

  /** Of a run in a thread. */
  #inTime<T>(run: Promise<T>, asked: number): Promise<T> {
    const { timeout_ms } = this.#limits;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const left = Math.max(0, timeout_ms - (performance.now() - asked));
      timer = setTimeout(
        () =>
          reject(
            new ServiceError(
              "timeout",
              `the model took longer than ${timeout_ms} ms: ask for less at once, or raise limits.timeout_ms of the deployment`,
            ),
          ),
        left,
      );
    });
    return Promise.race([run, late]).finally(() => clearTimeout(timer));
  }
}

function asFailure(error: unknown): ServiceError {
  return error instanceof ServiceError ? error : new ServiceError("upstream-failed", wordsOf(error));
}

function tensorsOf(outputs: readonly RawTensor[]): Tensor[] {
  checkAnswer(outputs);
  return outputs.map(tensorOf);
}

/** How large outputs are may be for the model to say, by what is in its inputs. */
function checkAnswer(outputs: readonly RawTensor[]): void {
  const values = outputs.reduce(
    (sum, { dims }) => sum + dims.reduce((product, size) => product * size, 1),
    0,
  );
  if (values > MOST_ANSWERED)
    throw new ServiceError(
      "too-large",
      `the model gave ${values} values, and at most ${MOST_ANSWERED} are answered: ask for less at once`,
    );
}

/** The outputs of one run per instance as those of a batch. */
function joinedRuns(results: readonly (readonly RawTensor[])[]): Tensor[] {
  checkAnswer(results.flat());
  const [first = []] = results;
  return first.map((output, at) => {
    const parts = results.map((outputs) => tensorOf(outputs[at] as RawTensor)); // the same outputs in every run
    const inner = output.dims[0] === 1 ? output.dims.slice(1) : output.dims;
    const values = parts.flatMap(({ values: part }) => Array.from(part));
    return { name: output.name, datatype: output.datatype, shape: [results.length, ...inner], values };
  });
}

async function hashOf(path: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const part of createReadStream(path)) hash.update(part as Buffer);
  return hash.digest("hex");
}

/** Counts of several versions by their name. */
export function countsOf(versions: Iterable<ServedVersion>): ScoringCounts {
  return Object.fromEntries([...versions].map(({ version, counts }) => [version, counts]));
}
