import { OpenAPIHono } from "@hono/zod-openapi";
import type { ForeignBodies } from "../../collector/capture-formats/foreign-bodies.ts";
import type { Collector } from "../../collector/collector.ts";
import { addCollectorRoutes } from "../../collector/routes.ts";
import { ServiceError } from "../../schema/errors.ts";

const STATUS: Readonly<Record<string, number>> = {
  "invalid-input": 400,
  "not-found": 404,
  "too-large": 413,
  "unsupported-media-type": 415,
  "queue-full": 429,
  unavailable: 503,
};

/** The collector's routes with errors as the application answers them. */
export function routesOf(collector: Collector, foreign?: ForeignBodies): OpenAPIHono {
  const api = new OpenAPIHono({
    defaultHook: (result) => {
      if (!result.success) throw new ServiceError("invalid-input", result.error.message);
    },
  });
  api.onError((error, context) => {
    if (!(error instanceof ServiceError)) throw error;
    const retry = error.retryAfterSeconds;
    return context.json(
      { code: error.code, detail: error.message, errors: error.issues },
      (STATUS[error.code] ?? 500) as 400,
      retry === undefined ? {} : { "retry-after": String(retry) },
    );
  });
  addCollectorRoutes(api, collector, foreign);
  return api;
}
