import { csvRows } from "../../protocols/csv.ts";
import type { Message } from "../../protocols/exchange.ts";
import {
  type InferenceRequest,
  isRawBinary,
  readInferenceRequest,
  writeInferenceAnswer,
} from "../../protocols/inference-answer.ts";
import {
  isList,
  isObject,
  type JsonList,
  type JsonObject,
  type JsonValue,
  parseJson,
  writeJson,
} from "../../protocols/json.ts";
import { headerOf, mediaTypeOf } from "../../protocols/message-header.ts";
import { mlflowForms } from "../../protocols/mlflow.ts";
import { answerColumnsOf, answerRowsOf } from "../../protocols/model-answer.ts";
import { columnsToInputs, type RunInputs, rowsToInputs } from "../../protocols/model-input.ts";
import { startRecording } from "../../protocols/recording.ts";
import { short, type Tensor } from "../../protocols/tensor.ts";
import { readBinary } from "../../protocols/tensor-binary.ts";
import type { ScoringLimits } from "../../schema/deployment.ts";
import { ServiceError } from "../../schema/errors.ts";
import type { ModelSignature } from "../../schema/signature.ts";
import type { ScoringProtocol } from "./counts.ts";
import type { Processing } from "./processing.ts";

export interface WrittenAnswer {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** A request that is understood: what to run, and how to say what came of it. */
export interface ScoringCall {
  /** The caller's own id in the body. */
  readonly id: string | undefined;
  readonly runs: readonly RunInputs[];
  /** Instances. */
  readonly rows: number;
  write(
    outputs: readonly Tensor[],
    answered: { readonly model: string; readonly version: string },
  ): WrittenAnswer;
}

const NESTING = 64;
const JSON_HEADERS = { "content-type": "application/json" };

/**
 * Reads a scoring request of any of the protocols for a model of this signature.
 *
 * @throws ServiceError `invalid-input`, `too-large`, or `unsupported-media-type`.
 */
export function readCall(
  protocol: ScoringProtocol,
  message: Message,
  { signature, limits, processing }: CallReading,
): ScoringCall {
  const call = READERS[protocol](message, { signature, processing });
  if (call.rows > limits.max_rows)
    throw new ServiceError(
      "too-large",
      `${call.rows} instances, and one request may hold ${limits.max_rows}: send fewer at once, or raise limits.max_rows of the deployment`,
    );
  return call;
}

/** What a request is read for. */
interface Served {
  readonly signature: ModelSignature;
  readonly processing: Processing | undefined;
}
interface CallReading extends Served {
  readonly limits: ScoringLimits;
}

const READERS: Readonly<Record<ScoringProtocol, (message: Message, served: Served) => ScoringCall>> = {
  v2: readInferenceCall,
  v1: readPredictCall,
  mlflow: readInvocationsCall,
};

/** Its tensors are the model's own: a module is not asked. */
function readInferenceCall(message: Message, { signature }: Served): ScoringCall {
  const request = isRawBinary(message)
    ? rawRequest(message.body, signature)
    : readInferenceRequest(message, { nesting: NESTING });
  return {
    id: request.id,
    runs: [request.tensors],
    rows: batchOf(request.tensors, signature),
    write: (outputs, { model, version }) =>
      writeInferenceAnswer(
        { id: request.id, modelName: model, modelVersion: version },
        wantedOutputs(outputs, request),
      ),
  };
}

/** The body as the model's only input, one instance of it. */
function rawRequest(body: Uint8Array, { inputs }: ModelSignature): InferenceRequest {
  const [spec, ...others] = inputs;
  if (!spec || others.length > 0)
    throw new ServiceError(
      "invalid-input",
      `a raw binary request is for models with one input, and this one has ${inputs.length}`,
    );
  const { name, datatype } = spec;
  if (datatype === "BYTES") {
    const bytes = new Uint8Array(4 + body.length);
    new DataView(bytes.buffer).setUint32(0, body.length, true);
    bytes.set(body, 4);
    const shape = spec.shape.map(() => 1);
    return {
      id: undefined,
      tensors: [{ name, datatype, shape, values: readBinary({ bytes, count: 1, datatype, tensor: name }) }],
      wanted: undefined,
      form: "binary",
    };
  }
  const open = spec.shape.slice(1).filter((length) => typeof length === "string" || length < 0);
  if (open.length > 0)
    throw new ServiceError(
      "invalid-input",
      `a raw binary request does not say the shape of "${short(name)}", which is open`,
    );
  const shape = spec.shape.map((length, at) =>
    at === 0 && (typeof length === "string" || length < 0) ? 1 : Number(length),
  );
  const count = shape.reduce((product, length) => product * length, 1);
  const values = readBinary({ bytes: body, count, datatype, tensor: name });
  return { id: undefined, tensors: [{ name, datatype, shape, values }], wanted: undefined, form: "binary" };
}

function wantedOutputs(
  outputs: readonly Tensor[],
  { wanted, form }: InferenceRequest,
): { readonly tensor: Tensor; readonly form: "json" | "binary" }[] {
  if (!wanted) return outputs.map((tensor) => ({ tensor, form }));
  return wanted.map(({ name, form: own }) => {
    const tensor = outputs.find((output) => output.name === name);
    if (tensor) return { tensor, form: own };
    throw new ServiceError(
      "invalid-input",
      `the model has no output "${short(name)}": it has ${outputs.map((output) => `"${output.name}"`).join(", ")}`,
    );
  });
}

/** Instances in a request of whole tensors; one for a model without a batch. */
function batchOf(tensors: readonly Tensor[], { inputs }: ModelSignature): number {
  const [first] = tensors;
  const spec = inputs.find(({ name }) => name === first?.name);
  const [length] = spec?.shape ?? [];
  return length === -1 || typeof length === "string" ? (first?.shape[0] ?? 1) : 1;
}

function readPredictCall(message: Message, served: Served): ScoringCall {
  const request = parseJson(message.body, NESTING);
  if (!isObject(request)) throw new ServiceError("invalid-input", "the request is no JSON object");
  return servingCall(request, served, { column: "outputs" });
}

/** TensorFlow Serving's two forms, which MLflow has too and answers both with `predictions`. */
function servingCall(
  request: JsonObject,
  served: Served,
  { column }: { readonly column: "outputs" | "predictions" },
): ScoringCall {
  const { instances, inputs } = request;
  if ((instances === undefined) === (inputs === undefined))
    throw new ServiceError("invalid-input", "expected exactly one of instances and inputs");
  if (instances !== undefined) {
    if (!isList(instances)) throw new ServiceError("invalid-input", "instances is no list");
    return rowCall(instances, served);
  }
  const { signature } = served;
  const runs = columnsToInputs(inputs as JsonValue, signature); // there, as checked above
  const rows = runs.length > 1 ? runs.length : batchOf(runs[0] ?? [], signature);
  return {
    id: undefined,
    runs,
    rows,
    write: (outputs) => ({ headers: JSON_HEADERS, body: jsonText({ [column]: answerColumnsOf(outputs) }) }),
  };
}

function rowCall(instances: JsonList, { signature, processing }: Served): ScoringCall {
  const rows = processing ? processing.before(instances) : instances;
  return {
    id: undefined,
    runs: rowsToInputs(rows, signature),
    rows: rows.length,
    write: (outputs) => {
      const found = answerRowsOf(outputs, rows.length, signature);
      const predictions = processing ? processing.after(found, instances) : found;
      return { headers: JSON_HEADERS, body: jsonText({ predictions }) };
    },
  };
}

/** MLflow's forms in JSON, CSV, and beyond MLflow plain rows: a list of objects or of lists, or one object of features. */
function readInvocationsCall(message: Message, served: Served): ScoringCall {
  const type = mediaTypeOf(message.headers) ?? "application/json";
  if (type === "text/csv") return rowCall(csvInstances(message.body, served.signature), served);
  const parameters = (headerOf(message.headers, "content-type") ?? "").split(";").slice(1);
  const strange = parameters.find((parameter) => !/^\s*(?:charset\s*=\s*"?utf-8"?)?\s*$/i.test(parameter));
  if (type !== "application/json" || strange !== undefined)
    throw new ServiceError(
      "unsupported-media-type",
      `This predictor only supports the following content types: text/csv, application/json. Got '${short(headerOf(message.headers, "content-type"))}'.`,
    );
  const request = parseJson(message.body, NESTING);
  if (isList(request))
    return rowCall(
      request.every(isObject) || request.every((item) => isList(item)) ? request : [request],
      served,
    );
  if (!isObject(request)) throw new ServiceError("invalid-input", "the request is one bare value");
  const found = mlflowForms.filter((form) => Object.hasOwn(request, form));
  if (found.length > 1)
    throw new ServiceError(
      "invalid-input",
      `expected exactly one of ${mlflowForms.join(", ")}, found ${found.join(", ")}`,
    );
  const [form] = found;
  if (form === undefined) return rowCall([request], served);
  const content = request[form];
  if (form === "dataframe_split") {
    if (!isObject(content))
      throw new ServiceError("invalid-input", "dataframe_split is no object with columns and data");
    return rowCall(splitInstances(content, served), served);
  }
  if (form === "dataframe_records") {
    if (!isList(content) || !content.every(isObject))
      throw new ServiceError("invalid-input", "dataframe_records is no list of objects");
    return rowCall(content, served);
  }
  return servingCall(request, served, { column: "predictions" });
}

function splitInstances({ columns, data }: JsonObject, { signature, processing }: Served): JsonList {
  if (!isList(data)) throw new ServiceError("invalid-input", "dataframe_split has no list called data");
  if (columns === undefined) return data;
  if (!isList(columns)) throw new ServiceError("invalid-input", "columns of dataframe_split is no list");
  const names = columns.map(String);
  const seen = new Set<string>();
  const twice = names.find((name) => seen.size === seen.add(name).size);
  if (twice !== undefined)
    throw new ServiceError("invalid-input", `dataframe_split has the column "${short(twice)}" twice`);
  const odd = data.findIndex((values) => !isList(values) || values.length !== names.length);
  if (odd !== -1)
    throw new ServiceError(
      "invalid-input",
      `row ${odd} has not one value for each of the ${names.length} columns`,
    );
  const rows = data as readonly JsonList[]; // lists, as checked above
  const [input] = signature.inputs;
  // Columns of one matrix that have no names in the model: their order counts, which an object may not keep.
  const unnamed = signature.inputs.length === 1 && !signature.feature_names && !processing;
  if (unnamed && input?.shape.length === 2 && !names.includes(input.name)) return rows;
  return rows.map(
    (values) => Object.fromEntries(names.map((name, at) => [name, values[at] as JsonValue])), // as many
  );
}

/** CSV with a line of names; a text column of it may look like numbers. */
function csvInstances(body: Uint8Array, signature: ModelSignature): JsonList {
  const { inputs } = signature;
  const texts = new Set(inputs.filter(({ datatype }) => datatype === "BYTES").map(({ name }) => name));
  const allTexts = inputs.length === 1 && texts.size === 1;
  const recording = startRecording({ digest: () => "" });
  return csvRows(body, { stem: "input", names: signature.feature_names }, recording).map((cells) =>
    Object.fromEntries(
      Object.entries(cells).map(([name, value]): [string, JsonValue] => [
        name,
        allTexts || texts.has(name) ? String(value ?? "") : (value as JsonValue), // scalars only
      ]),
    ),
  );
}

function jsonText(value: JsonValue): string {
  try {
    return JSON.stringify(value);
  } catch {
    return writeJson(value); // a whole number beyond 2^53
  }
}
