import { readFileSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, isAbsolute, join, normalize, sep } from "node:path";
import type { ModelSample } from "../../schema/model-version.ts";
import type { ModelInspection, TensorSpec } from "../../schema/signature.ts";
import { answerSample } from "./answer-sample.ts";
import { zeroInputs } from "./example-input.ts";
import type { RawTensor } from "./raw-tensor.ts";
import { type OnnxModel, readModel } from "./read-model.ts";
import { OnnxSession } from "./session.ts";
import { withoutZipMap } from "./without-zip-map.ts";

const OUT_OF_MEMORY = /bad_alloc|failed to allocate|out of memory|Array buffer allocation/i;

/** A message of Protocol Buffers cannot be longer; larger models keep their weights beside it. */
const LARGEST_FILE = 2 ** 31 - 1;

/**
 * Looks at a model file in this process: reads it, loads it and runs it once. Since a hostile file may end the process,
 * `inspectModel` does this in one of its own.
 *
 * @param servedFile - Where the file to be served is written when it differs.
 * @param sample - To be answered.
 */
export async function checkModel(
  path: string,
  servedFile: string,
  sample?: ModelSample,
): Promise<ModelInspection> {
  const read = readFile(path);
  if ("reason" in read) return { verdict: "refused", reason: read.reason };
  const { file, model } = read;
  const outside = model.externalFiles.map((name) => whyNotExternal(name, dirname(path))).find((why) => why);
  if (outside) return { verdict: "refused", reason: outside };
  const rewritten = withoutZipMap(file, model);
  if (rewritten) writeFileSync(servedFile, rewritten);
  let session: OnnxSession;
  try {
    session = OnnxSession.load(rewritten ? servedFile : path, { threads: 1 });
  } catch (error) {
    return { verdict: "refused", reason: `onnxruntime refuses it: ${wordsOf(error)}` };
  }
  const found = await describe(session, model, rewritten ? servedFile : undefined);
  if (found.verdict === "refused" || !sample) return found;
  const answer = answerSample(session, sample);
  if ("refused" in answer) return { verdict: "refused", reason: answer.refused };
  if ("unanswered" in answer) {
    const note = `its sample is not checked by what it answers: ${wordsOf(answer.unanswered)}`;
    return { ...found, notes: [...found.notes, note] };
  }
  return { ...found, sample_outputs: answer.outputs };
}

function readFile(
  path: string,
): { readonly file: Uint8Array; readonly model: OnnxModel } | { readonly reason: string } {
  const { size } = statSync(path);
  if (size === 0) return { reason: "the file is empty" };
  if (size > LARGEST_FILE)
    return { reason: `the file has ${size} bytes, and an ONNX file cannot have more than ${LARGEST_FILE}` };
  const file = readFileSync(path);
  try {
    return { file, model: readModel(file) };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return { reason: `it is no complete ONNX file: ${error.message}` };
  }
}

/** Why weights in a file of this name are not read; undefined when they are. */
function whyNotExternal(name: string, folder: string): string | undefined {
  const shown = JSON.stringify(name.slice(0, 200));
  const path = normalize(name);
  if (name === "" || isAbsolute(path) || path === ".." || path.startsWith(`..${sep}`) || name.includes("\0"))
    return `it keeps weights in a file outside its folder (${shown}), which is not read`;
  const found = statSync(join(folder, path), { throwIfNoEntry: false });
  return found?.isFile()
    ? undefined
    : `it keeps weights in a file beside it (${shown}), which is not there: save the model as one file`;
}

async function describe(
  session: OnnxSession,
  model: OnnxModel,
  servedFile: string | undefined,
): Promise<ModelInspection> {
  const { inputs, outputs, unservable } = session.signature;
  const notes = unservable.map((name) => `output "${name}" is no tensor and is not served`);
  let run: readonly RawTensor[] = [];
  try {
    run = session.run(zeroInputs(inputs, 1));
  } catch (error) {
    if (error instanceof RangeError) return { verdict: "refused", reason: error.message };
    if (OUT_OF_MEMORY.test(wordsOf(error)))
      return { verdict: "refused", reason: `running it once takes too much memory: ${wordsOf(error)}` };
    notes.push(`it could not be run on zeros, which some models do not take: ${wordsOf(error)}`);
  }
  const labels = model.zipMaps.find(({ output }) => model.outputs.includes(output))?.labels;
  if (servedFile !== undefined)
    notes.push(
      "its probabilities were behind a ZipMap: a rewritten file gives them as a tensor, with the class names kept",
    );
  const signature = {
    inputs: [...inputs],
    outputs: outputs.map((spec) => withRank(spec, run)),
    ...(labels ? { class_labels: [...labels] } : {}),
  };
  return {
    verdict: "loads",
    signature,
    ...(servedFile === undefined ? {} : { served_file: servedFile }),
    ...(labels ? { class_labels: [...labels] } : {}),
    notes,
  };
}

/** A shape that the runtime could not tell (none at all, for an output that has dimensions) is told from the run. */
function withRank(spec: TensorSpec, run: readonly RawTensor[]): TensorSpec {
  const dims = run.find(({ name }) => name === spec.name)?.dims ?? [];
  if (spec.shape.length > 0 || dims.length === 0) return spec;
  return { ...spec, shape: dims.map((length, at) => (at === 0 ? -1 : length)) };
}

/** The runtime's words on one line, without the paths of this machine. */
export function wordsOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const words = text
    .replaceAll(/(?:\/[\w.@+-]+)+\/([\w.@+-]+)/g, (_, file: string) => basename(file))
    .replaceAll(/\s+/g, " ")
    .trim();
  return words.length > 500 ? `${words.slice(0, 500)}…` : words;
}
