import type { Exchange, Protocol } from "./exchange.ts";
import { isList, isObject, type JsonValue } from "./json.ts";
import { headerOf, mediaTypeOf } from "./message-header.ts";
import { mlflowForms } from "./mlflow.ts";

/** What method, path and headers tell about a call. */
export type Call =
  | {
      readonly kind: "scoring";
      /** Undefined when only the body can tell. */
      readonly protocol: Protocol | undefined;
      readonly model: string | undefined;
      readonly version: string | undefined;
    }
  | { readonly kind: "other"; readonly reason: string };

const INFER = /\/v2\/models\/([^/]+)(?:\/versions\/([^/]+))?\/infer$/;
const PREDICT = /\/v1\/models\/([^/:]+)(?:\/versions\/([^/:]+)|\/labels\/[^/:]+)?:predict$/;
/** Of these protocols, what is not a prediction: metadata, health, repository, statistics, explanations. */
const OTHER = /\/v2(?:$|\/(?:health|models|repository)(?:$|\/))|\/v1\/models(?:$|[/:])/;

/**
 * Whether a call asks for a prediction, and by which protocol, from method, path and headers alone.
 *
 * @param call - The path may have any prefix, as behind a gateway, and a query.
 * @example
 * detectCall({ method: "POST", path: "/v2/models/churn/infer", headers: {} });
 * // { kind: "scoring", protocol: "open-inference-v2", model: "churn", version: undefined }
 */
export function detectCall({
  method,
  path,
  headers,
}: Pick<Exchange, "method" | "path"> & { readonly headers: Exchange["request"]["headers"] }): Call {
  if (method.toUpperCase() !== "POST") return { kind: "other", reason: `${method} asks for no prediction` };
  const route = path.split("?", 1)[0] ?? "";
  const found = INFER.exec(route) ?? PREDICT.exec(route);
  if (found)
    return {
      kind: "scoring",
      protocol: INFER.test(route) ? "open-inference-v2" : "tensorflow-serving-v1",
      model: unescaped(found[1]),
      version: unescaped(found[2]),
    };
  if (OTHER.test(route)) return { kind: "other", reason: `${route.slice(0, 200)} asks for no prediction` };
  const binary = headerOf(headers, "inference-header-content-length") !== undefined;
  return {
    kind: "scoring",
    protocol: binary ? "open-inference-v2" : undefined,
    model: undefined,
    version: undefined,
  };
}

function unescaped(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * The protocol of a request in JSON whose path does not tell.
 *
 * @example
 * detectBody({ dataframe_records: [{ age: 3 }] }, "/score"); // "mlflow"
 */
export function detectBody(body: JsonValue, path: string): Protocol {
  if (!isObject(body)) return "plain";
  const { inputs } = body;
  if (isList(inputs) && inputs.length > 0 && inputs.every(isTensor)) return "open-inference-v2";
  const found = mlflowForms.filter((form) => Object.hasOwn(body, form));
  if (found.some((form) => form.startsWith("dataframe"))) return "mlflow";
  if (found.length === 0) return "plain";
  return /\/invocations$/.test(path.split("?", 1)[0] ?? "") ? "mlflow" : "tensorflow-serving-v1";
}

function isTensor(value: JsonValue): boolean {
  return (
    isObject(value) && typeof value.name === "string" && isList(value.shape) && value.datatype !== undefined
  );
}

/** What clients (curl) and services (Flask) say of JSON when nobody told them. */
const TAKEN_FOR_JSON: ReadonlySet<string> = new Set([
  "application/x-www-form-urlencoded",
  "text/plain",
  "text/html",
]);

/** How a body is written, from its media type; undefined for one that is not read. No type at all is taken for JSON. */
export function bodyFormOf(
  headers: Exchange["request"]["headers"],
): "json" | "json-lines" | "csv" | undefined {
  const type = mediaTypeOf(headers);
  if (type === undefined || type === "application/json" || type.endsWith("+json")) return "json";
  if (type === "text/csv") return "csv";
  if (/^application\/(?:x-)?(?:ndjson|jsonlines|jsonl|json-seq)$/.test(type)) return "json-lines";
  return TAKEN_FOR_JSON.has(type) ? "json" : undefined;
}
