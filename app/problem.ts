import type { IncomingMessage } from "node:http";
import { z } from "@hono/zod-openapi"; // zod, made ready for the API document before a schema is made
import { type ErrorCode, type InputIssue, ServiceError } from "../schema/errors.ts";
import type { Log } from "./log.ts";
import { swallowBody } from "./swallow-body.ts";

/** HTTP status of each mishap: the one place where it is chosen. */
const STATUS_OF: Readonly<Record<ErrorCode, number>> = {
  "invalid-input": 400,
  "invalid-config": 400,
  unauthorized: 401,
  forbidden: 403,
  "not-found": 404,
  conflict: 409,
  gone: 410,
  "too-large": 413,
  "unsupported-media-type": 415,
  "queue-full": 429,
  "upstream-failed": 502,
  unavailable: 503,
  "store-locked": 503,
  "store-damaged": 503,
  "store-too-new": 503,
  timeout: 504,
};

const TITLES: Readonly<Record<number, string>> = {
  400: "The request is not valid",
  401: "A key is needed",
  403: "Not allowed",
  404: "Not found",
  405: "Method not allowed",
  409: "Conflict",
  410: "Gone",
  413: "Too large",
  415: "Content type not taken",
  429: "Too much at once",
  500: "Internal error",
  502: "Another service failed",
  503: "Not available just now",
  504: "Timed out",
};

/** RFC 9457, `application/problem+json`. */
export const problem = z
  .object({
    type: z.string().meta({ description: "about:blank: the code says which" }),
    title: z.string(),
    status: z.int(),
    detail: z.string().meta({ description: "What is wrong and the way out" }),
    code: z.string(),
    request_id: z.string().meta({ description: "Stands in the server's log as well" }),
    errors: z
      .array(z.object({ path: z.string(), message: z.string() }))
      .optional()
      .meta({ description: "Each wrong place of the input" }),
  })
  .meta({ id: "Problem" });

export function problemResponse({
  status,
  code,
  detail,
  requestId,
  issues = [],
  headers = {},
}: {
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly requestId: string;
  readonly issues?: readonly InputIssue[];
  readonly headers?: Readonly<Record<string, string>>;
}): Response {
  const body: z.infer<typeof problem> = {
    type: "about:blank",
    title: TITLES[status] ?? "The request failed",
    status,
    detail,
    code,
    request_id: requestId,
    ...(issues.length > 0 ? { errors: [...issues] } : {}),
  };
  return new Response(JSON.stringify(body), {
    status,
    headers: { "content-type": "application/problem+json", ...headers },
  });
}

/** The answer to a call that failed: a mishap says what it was, anything else is told to the log only. */
export async function mishapResponse(
  error: unknown,
  {
    log,
    requestId,
    incoming,
    method,
    path,
  }: {
    readonly log: Log;
    readonly requestId: string;
    /** The connection it came over, if any. */
    readonly incoming: IncomingMessage | undefined;
    readonly method: string;
    readonly path: string;
  },
): Promise<Response> {
  if (!(error instanceof ServiceError)) {
    log.error({ err: error, method, path, request_id: requestId }, "a call failed");
    return problemResponse({
      status: 500,
      code: "internal",
      detail: `the server failed at this call: its log says why under request id ${requestId}`,
      requestId,
    });
  }
  const status = STATUS_OF[error.code];
  if (status >= 500) log.warn({ err: error, request_id: requestId }, error.message);
  const read = status === 413 && incoming ? await swallowBody(incoming) : "all";
  return problemResponse({
    status,
    code: error.code,
    detail: error.message,
    requestId,
    issues: error.issues,
    headers: {
      ...(error.retryAfterSeconds === undefined
        ? {}
        : { "retry-after": String(Math.ceil(error.retryAfterSeconds)) }),
      // The rest of the body is not read, so the connection takes no further call: the client has to know.
      ...(read === "a part" ? { connection: "close" } : {}),
      ...(status === 401 ? { "www-authenticate": 'Bearer realm="leeway"' } : {}),
    },
  });
}
