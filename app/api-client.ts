import { type ErrorCode, errorCodes, type InputIssue, ServiceError } from "../schema/errors.ts";

/** The server refused the call, or failed at it. */
export class AnsweredError extends ServiceError {
  readonly status: number;
  constructor(
    code: ErrorCode,
    message: string,
    status: number,
    more: ConstructorParameters<typeof ServiceError>[2],
  ) {
    super(code, message, more);
    this.status = status;
  }
}

/** No answer came: nobody listens there, or the connection broke. */
export class UnreachableError extends ServiceError {}

export interface Call {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Path and query, each part encoded. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array | ReadableStream | undefined;
}

/** Talks to a running server in the name of a command. */
export class ApiClient {
  readonly url: string;
  readonly #apiKey: string | undefined;

  constructor({ url, apiKey }: { readonly url: string; readonly apiKey?: string | undefined }) {
    this.url = url.replace(/\/+$/, "");
    this.#apiKey = apiKey;
  }

  /**
   * The server's answer when it is a good one.
   * @throws UnreachableError, AnsweredError with the problem's code and detail.
   */
  async call({ method = "GET", path, headers = {}, body }: Call): Promise<Response> {
    let response: Response;
    try {
      response = await fetch(`${this.url}${path}`, {
        method,
        headers: {
          ...headers,
          ...(this.#apiKey === undefined ? {} : { authorization: `Bearer ${this.#apiKey}` }),
        },
        ...(body === undefined ? {} : { body }),
        ...(body instanceof ReadableStream ? { duplex: "half" } : {}),
      } as RequestInit); // `duplex` is missing in the type
    } catch (error) {
      throw new UnreachableError(
        "unavailable",
        `${this.url} does not answer (${causeOf(error)}): is leeway serve running there?`,
        {
          cause: error,
        },
      );
    }
    if (response.ok) return response;
    throw await answeredError(response);
  }

  /** The answer's JSON; its shape is the server's promise. */
  async json<T>(call: Call): Promise<T> {
    return (await (await this.call(call)).json()) as T;
  }

  /** Sends a value as JSON. */
  send<T>(method: "POST" | "PUT" | "PATCH", path: string, value: unknown): Promise<T> {
    return this.json({
      method,
      path,
      headers: { "content-type": "application/json" },
      body: JSON.stringify(value),
    });
  }
}

async function answeredError(response: Response): Promise<AnsweredError> {
  const text = await response.text().catch(() => "");
  const problem = parseProblem(text);
  const code = errorCodes.find((known) => known === problem.code) ?? "upstream-failed";
  const hint =
    response.status === 401
      ? ": give a key with --api-key or LEEWAY_API_KEY (leeway key create makes one)"
      : "";
  const detail = problem.detail ?? `the server answered ${response.status} ${response.statusText}`;
  const retryAfter = Number(response.headers.get("retry-after") ?? Number.NaN);
  return new AnsweredError(code, `${detail}${hint}`, response.status, {
    issues: problem.errors ?? [],
    ...(Number.isFinite(retryAfter) ? { retryAfterSeconds: retryAfter } : {}),
  });
}

function parseProblem(text: string): {
  readonly code?: string;
  readonly detail?: string;
  readonly errors?: readonly InputIssue[];
} {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === "object" ? value : {};
  } catch {
    return {};
  }
}

function causeOf(error: unknown): string {
  const cause = error instanceof Error ? (error.cause ?? error) : error;
  if (cause instanceof AggregateError) return causeOf(cause.errors[0]);
  if (cause instanceof Error) return "code" in cause ? String(cause.code) : cause.message;
  return String(cause);
}
