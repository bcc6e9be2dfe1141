import { type ErrorCode, ServiceError } from "../../schema/errors.ts";

/** MLflow's error code of each mishap; all others are INTERNAL_ERROR. */
const CODES: Readonly<Partial<Record<ErrorCode, string>>> = {
  "invalid-input": "INVALID_PARAMETER_VALUE",
  unauthorized: "UNAUTHENTICATED",
  forbidden: "PERMISSION_DENIED",
  "not-found": "RESOURCE_DOES_NOT_EXIST",
  conflict: "RESOURCE_CONFLICT",
  gone: "RESOURCE_DOES_NOT_EXIST",
  "too-large": "INVALID_PARAMETER_VALUE",
  "unsupported-media-type": "INVALID_PARAMETER_VALUE",
  "queue-full": "REQUEST_LIMIT_EXCEEDED",
  unavailable: "TEMPORARILY_UNAVAILABLE",
  timeout: "TEMPORARILY_UNAVAILABLE",
};

/** Thrown where what is to be made is there already, for which MLflow has a code and a status of its own. */
export class AlreadyExists extends ServiceError {
  constructor(message: string) {
    super("conflict", message);
  }
}

/** Where MLflow's clients expect its own error shape. */
export function isMlflowPath(path: string): boolean {
  return /^\/api\/2\.0\/mlflow(?:-artifacts)?\//.test(path);
}

/** What went wrong, in MLflow's shape. `problem` is the answer that any other call would get. */
export function mlflowErrorAnswer(error: unknown, problem: Response): Response {
  const error_code =
    error instanceof ServiceError ? (CODES[error.code] ?? "INTERNAL_ERROR") : "INTERNAL_ERROR";
  const message =
    error instanceof ServiceError ? error.message : "the server failed at this call: its log says why";
  const exists = error instanceof AlreadyExists;
  const headers = new Headers(problem.headers);
  headers.set("content-type", "application/json");
  return new Response(
    JSON.stringify({ error_code: exists ? "RESOURCE_ALREADY_EXISTS" : error_code, message }),
    {
      status: exists ? 400 : problem.status,
      headers,
    },
  );
}
