import { type ErrorCode, ServiceError } from "../../schema/errors.ts";
import type { ScoringProtocol } from "./counts.ts";

const STATUS: Readonly<Partial<Record<ErrorCode, number>>> = {
  "invalid-input": 400,
  unauthorized: 401,
  forbidden: 403,
  "not-found": 404,
  "too-large": 413,
  "unsupported-media-type": 415,
  "queue-full": 503,
  unavailable: 503,
  timeout: 504,
};

/** Error codes of MLflow (mlflow/protos/databricks.proto) by status. */
const MLFLOW_CODE: Readonly<Record<number, string>> = {
  400: "BAD_REQUEST",
  401: "UNAUTHENTICATED",
  403: "PERMISSION_DENIED",
  404: "RESOURCE_DOES_NOT_EXIST",
  413: "BAD_REQUEST",
  503: "TEMPORARILY_UNAVAILABLE",
  504: "DEADLINE_EXCEEDED",
};

export interface WrittenError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What went wrong as each protocol says it; what is no mishap of the caller's or the model's is told without its inside. */
export function writeError(error: unknown, protocol: ScoringProtocol | "none"): WrittenError {
  const known = error instanceof ServiceError ? error : undefined;
  const status = known ? (STATUS[known.code] ?? 500) : 500;
  const message = known?.message ?? "the replica failed at this call: its log says why";
  const headers: Record<string, string> = { "content-type": "application/json" };
  if (status === 503) headers["retry-after"] = String(known?.retryAfterSeconds ?? 1);
  if (status === 401) headers["www-authenticate"] = 'Bearer realm="leeway"';
  if (status === 413) headers.connection = "close"; // the rest of the body is not read
  if (protocol !== "mlflow") return { status, headers, body: JSON.stringify({ error: message }) };
  if (status === 415) return { status, headers: { ...headers, "content-type": "text/plain" }, body: message };
  return {
    status,
    headers,
    body: JSON.stringify({ error_code: MLFLOW_CODE[status] ?? "INTERNAL_ERROR", message }),
  };
}
