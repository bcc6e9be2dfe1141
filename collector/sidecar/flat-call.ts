import { isUtf8 } from "node:buffer";
import { decodePlainAnswer } from "../../protocols/decode.ts";
import { bodyFormOf, detectCall } from "../../protocols/detect.ts";
import type { DecodeOptions } from "../../protocols/exchange.ts";
import { FlatJson } from "../../protocols/flat-json.ts";
import { mlflowForms } from "../../protocols/mlflow.ts";
import type { Call, Payload } from "./call.ts";
import { textOf } from "./record-text.ts";

/** A call of one instance that is recorded as it was written. */
export interface FlatCall {
  /** JSON of the features. */
  readonly inputs: Uint8Array | string;
  /** JSON of what was answered. */
  readonly outputs: Uint8Array | string;
  readonly version: string | undefined;
}

/** Most paths and media types that are remembered: they come from whoever calls. */
const MOST_REMEMBERED = 256;

/**
 * Finds the calls that most services get: one flat JSON object, whose text is the record's text. What it finds is what
 * `decodeCall` would make of it, at a tenth of the cost; what it does not find is left to that.
 */
export class FlatCalls {
  readonly #options: DecodeOptions;
  readonly #request = new FlatJson([...mlflowForms, "b64"]);
  readonly #answer = new FlatJson(["model_version", "b64"]);
  readonly #plainPaths = remember((path: string) => {
    const call = detectCall({ method: "POST", path, headers: {} });
    return call.kind === "scoring" && call.protocol === undefined;
  });
  readonly #jsonTypes = remember((type: string) => bodyFormOf({ "content-type": type }) === "json");

  constructor(options: DecodeOptions) {
    this.#options = options;
  }

  /** @returns undefined when the call has to be decoded. */
  find({ idState, status, path, request, response }: Call): FlatCall | undefined {
    if (idState !== "settled" || status < 200 || status >= 300) return undefined;
    if (!this.#isPlain(request) || !this.#isPlain(response) || !this.#plainPaths(path)) return undefined;
    const inputs = flatText(this.#request, request.body);
    if (!inputs) return undefined;
    const outputs = flatText(this.#answer, response.body);
    if (outputs) return { inputs, outputs, version: undefined };
    const headers = { "content-type": response.type };
    const answer = decodePlainAnswer({ status, headers, body: response.body }, this.#options);
    return { inputs, outputs: textOf(answer.outputs[0] ?? {}), version: answer.version };
  }

  #isPlain({ state, type, encoding, headerLength }: Payload): boolean {
    return (
      state === "whole" &&
      encoding === undefined &&
      headerLength === undefined &&
      (type === undefined || this.#jsonTypes(type))
    );
  }
}

function flatText(flat: FlatJson, body: Uint8Array): Uint8Array | undefined {
  if (!flat.find(body) || (flat.script === "beyond" && !isUtf8(body))) return undefined;
  return body.subarray(flat.from, flat.to);
}

function remember(test: (text: string) => boolean): (text: string) => boolean {
  const known = new Map<string, boolean>();
  return (text) => {
    let result = known.get(text);
    if (result === undefined) {
      result = test(text);
      if (known.size >= MOST_REMEMBERED) known.clear();
      known.set(text, result);
    }
    return result;
  };
}
