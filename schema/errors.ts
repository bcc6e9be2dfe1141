/**
 * Every way a call can go wrong that is not a bug. HTTP status is chosen from the code in one
 * table (`app/problem.ts`); the command line prints the message and exits 1 or 2.
 */
export const errorCodes = [
  "invalid-input",
  "invalid-config",
  "unauthorized",
  "forbidden",
  "not-found",
  "conflict",
  "gone",
  "too-large",
  "unsupported-media-type",
  "queue-full",
  "unavailable",
  "timeout",
  "store-locked",
  "store-damaged",
  "store-too-new",
  "upstream-failed",
] as const;

export type ErrorCode = (typeof errorCodes)[number];

/** One wrong place in an input: `path` is a JSON path such as `[3].inputs.age`. */
export interface InputIssue {
  readonly path: string;
  readonly message: string;
}

/**
 * A mishap with a code. The message names the offender and the limit and is safe to show
 * to the caller: it never holds a secret.
 *
 * @example
 * throw new ServiceError("not-found", 'monitor "daily" of model "churn" does not exist');
 */
export class ServiceError extends Error {
  override readonly name = "ServiceError";
  readonly code: ErrorCode;
  readonly issues: readonly InputIssue[];
  readonly retryAfterSeconds: number | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    more: {
      readonly issues?: readonly InputIssue[];
      readonly retryAfterSeconds?: number;
      readonly cause?: unknown;
    } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.code = code;
    this.issues = more.issues ?? [];
    this.retryAfterSeconds = more.retryAfterSeconds;
  }
}
