import type { IncomingMessage } from "node:http";
import { OpenAPIHono } from "@hono/zod-openapi";
import type { Context, MiddlewareHandler } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { isMlflowPath, mlflowErrorAnswer } from "../registry/mlflow/error-answer.ts";
import { ServiceError } from "../schema/errors.ts";
import type { Guard } from "./auth.ts";
import type { Log } from "./log.ts";
import { mishapResponse, problemResponse } from "./problem.ts";

/** Longest body of calls that carry settings. Routes that take in data bound their own. */
const SETTINGS_BYTES = 1024 * 1024;
const TAKES_DATA =
  /\/(?:records|labels|baseline)$|^\/v1\/(?:capture\/|events-in$|models$)|^\/api\/2\.0\/mlflow-artifacts\//;

/** An API without routes: what goes wrong in any of them becomes a problem document here. */
export function createApi({ log, guard }: { readonly log: Log; readonly guard: Guard }): OpenAPIHono {
  const api = new OpenAPIHono({
    defaultHook: (result) => {
      if (result.success) return;
      const issues = result.error.issues.map((issue) => ({
        path: issue.path.length > 0 ? pathText(issue.path) : result.target,
        message: "keys" in issue && issue.keys ? `not known here: ${issue.keys.join(", ")}` : issue.message,
      }));
      const where = result.target === "json" ? "body" : result.target;
      throw new ServiceError(
        "invalid-input",
        `the ${where} is not valid: ${issues[0]?.path} ${issues[0]?.message}`,
        {
          issues,
        },
      );
    },
  });
  api.use(logAccess(log), ask(guard), boundSettings());
  api.onError((error, c) => answerError(error, c, { log, api }));
  api.notFound((c) => {
    const methods = methodsAt(api, c.req.path);
    const status = methods.length > 0 ? 405 : 404;
    return problemResponse({
      status,
      code: status === 405 ? "method-not-allowed" : "not-found",
      detail:
        status === 405
          ? `${c.req.path} takes ${methods.join(", ")}, not ${c.req.method}`
          : `there is nothing at ${c.req.path}: /docs lists the calls`,
      requestId: requestIdOf(c),
      headers: status === 405 ? { allow: methods.join(", ") } : {},
    });
  });
  return api;
}

/** One line per request, when the log is that detailed. */
function logAccess(log: Log): MiddlewareHandler {
  return async (c, next) => {
    if (!log.isLevelEnabled("debug")) return next();
    const started = performance.now();
    await next();
    const { method, path } = c.req;
    const ms = Math.round(performance.now() - started);
    const request_id = requestIdOf(c);
    log.debug({ method, path, status: c.res.status, duration_ms: ms, request_id }, "request");
  };
}

function ask(guard: Guard): MiddlewareHandler {
  return (c, next) => {
    const { method, path } = c.req;
    const caller = guard({ method, path, header: (name) => c.req.header(name) });
    if (caller !== undefined) c.set("caller", caller);
    return next();
  };
}

function boundSettings(): MiddlewareHandler {
  const bounded = bodyLimit({
    maxSize: SETTINGS_BYTES,
    onError: () => {
      throw new ServiceError("too-large", `the body is longer than ${SETTINGS_BYTES} bytes`);
    },
  });
  return (c, next) => {
    const { method, path } = c.req;
    if (method === "GET" || method === "HEAD" || TAKES_DATA.test(path)) return next();
    return bounded(c, next);
  };
}

async function answerError(
  error: Error,
  c: Context,
  { log, api }: { readonly log: Log; readonly api: OpenAPIHono },
): Promise<Response> {
  const requestId = requestIdOf(c);
  const { incoming } = c.env as { readonly incoming?: IncomingMessage };
  if (error instanceof HTTPException && error.status < 500) return answerHttpException(error, c, api);
  const { method, path } = c.req;
  const answer = await mishapResponse(error, { log, requestId, incoming, method, path });
  return isMlflowPath(path) ? mlflowErrorAnswer(error, answer) : answer;
}

/** Thrown by the router: a body that is not JSON, or of a type that the call does not take. */
function answerHttpException(error: HTTPException, c: Context, api: OpenAPIHono): Response {
  const unsupported = error.status === 415;
  return problemResponse({
    status: error.status,
    code: unsupported ? "unsupported-media-type" : "invalid-input",
    detail: unsupported
      ? `content-type ${c.req.header("content-type") ?? "(none)"} is not taken here: expected ${contentTypesAt(api, c.req).join(", ")}`
      : error.message,
    requestId: requestIdOf(c),
  });
}

/** Given to each request where it came in (`app/listen.ts`). */
function requestIdOf(c: Context): string {
  const { requestId } = c.env as { readonly requestId?: string };
  return requestId ?? "";
}

function pathText(path: readonly PropertyKey[]): string {
  return path
    .map((key, i) => (typeof key === "number" ? `[${key}]` : `${i > 0 ? "." : ""}${String(key)}`))
    .join("");
}

/** Content types that the call takes, as the API document lists them. */
function contentTypesAt(api: OpenAPIHono, { method, path }: Context["req"]): string[] {
  for (const definition of api.openAPIRegistry.definitions) {
    if (definition.type !== "route" || definition.route.method !== method.toLowerCase()) continue;
    const pattern = new RegExp(`^${definition.route.path.replaceAll(/\{[^}]+\}/g, "[^/]+")}$`);
    const content = definition.route.request?.body?.content;
    if (pattern.test(path) && content) return Object.keys(content);
  }
  return ["application/json"];
}

/** Methods that have a handler at this path. */
function methodsAt(api: OpenAPIHono, path: string): string[] {
  return ["GET", "POST", "PUT", "PATCH", "DELETE"].filter((method) =>
    api.router.match(method, path)[0].some(([[, route]]) => route.method === method),
  );
}
