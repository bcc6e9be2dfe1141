import type { ModelSample } from "../../schema/model-version.ts";
import type { OptimisationOutcome } from "../../schema/optimisation.ts";
import { sampleTensor } from "../replica/self-check.ts";
import { wordsOf } from "./check-model.ts";
import { takesBatches } from "./example-input.ts";
import { madeUpInputs } from "./made-up-inputs.ts";
import { compareOutputs, type Parity } from "./parity.ts";
import { type RawTensor, type RuntimeDatatype, rawTensor } from "./raw-tensor.ts";
import { OnnxSession } from "./session.ts";
import { fasterOf } from "./speed.ts";

/** Optimisations of this level hold on any machine; those of "all" on machines of the same kind only. */
const LEVEL = "extended";
const TOLERANCE = 1e-4;
const MADE_UP_BATCHES = 8;
const BATCH = 32;
/** A model that fits itself to the machine might be faster with more; what is compared is the same for both. */
const THREADS = 1;

/**
 * Has the runtime write the graph as it makes it over, and compares the two files: whether they answer the same to the
 * sample and to inputs that are made up, and which is faster.
 */
export function optimiseModel(
  path: string,
  optimisedFile: string,
  sample: ModelSample | undefined,
): OptimisationOutcome {
  try {
    OnnxSession.load(path, { threads: THREADS, optimised: { file: optimisedFile, level: LEVEL } }).close();
    const loadBefore = loaded(path);
    const loadAfter = loaded(optimisedFile);
    const [before, after] = [loadBefore.session, loadAfter.session];
    const { inputs } = before.signature;
    const given = sample?.inputs.map((tensor) =>
      rawTensor(sampleTensor(tensor), tensor.datatype as RuntimeDatatype),
    ); // of a loaded model
    const batch = takesBatches(inputs) ? BATCH : 1;
    const asked: (readonly RawTensor[])[] = given ? [given] : [];
    for (let at = 0; at < MADE_UP_BATCHES; at++) asked.push(madeUpInputs(inputs, batch, at + 1));
    const tolerance = sample?.tolerance ?? TOLERANCE;
    const parity: Parity = { instances: 0, untaken: 0, largest_difference: 0, different: [] };
    for (const [at, one] of asked.entries()) {
      const fromSample = given !== undefined && at === 0;
      compareOutputs(parity, {
        before: answerOf(before, one),
        after: answerOf(after, one),
        instances: fromSample ? (one[0]?.dims[0] ?? 1) : batch,
        tolerance,
      });
    }
    if (parity.instances === 0)
      return {
        verdict: "refused",
        reason: "the model took none of the inputs that were made up for it: register it with a sample",
      };
    if (parity.different.length > 0)
      return { verdict: "differs", reason: parity.different.slice(0, 3).join("; "), tolerance };
    const timed = asked.find((one) => Array.isArray(answerOf(before, one))) ?? [];
    return {
      verdict: "same",
      level: LEVEL,
      tolerance,
      instances: parity.instances,
      largest_difference: parity.largest_difference,
      speed: fasterOf(
        () => void before.run(timed),
        () => void after.run(timed),
        () => performance.now(),
      ),
      load_ms: { before: loadBefore.ms, after: loadAfter.ms },
    };
  } catch (error) {
    return { verdict: "refused", reason: wordsOf(error) };
  }
}

function loaded(path: string): { readonly session: OnnxSession; readonly ms: number } {
  const started = performance.now();
  const session = OnnxSession.load(path, { threads: THREADS });
  return { session, ms: performance.now() - started };
}

/** The answer, or the runtime's words: made-up inputs need not be such as a model takes. */
function answerOf(session: OnnxSession, inputs: readonly RawTensor[]): readonly RawTensor[] | string {
  try {
    return session.run(inputs);
  } catch (error) {
    return wordsOf(error);
  }
}
