import type { OpenAPIHono } from "@hono/zod-openapi";
import { LEAST_ROLE, permissionFor } from "./access.ts";
import { version } from "./package-root.ts";
import { problem } from "./problem.ts";

/** The parts of an OpenAPI 3.1 document that are read here. */
export interface ApiDocument {
  readonly openapi: string;
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
}
export interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly required?: boolean; readonly content: Content };
  readonly responses: Readonly<Record<string, { readonly description?: string; readonly content?: Content }>>;
  readonly security?: readonly object[];
}
export interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
}
export type Content = Readonly<Record<string, { readonly schema?: Schema }>>;
export type Schema = Readonly<Record<string, unknown>>;

/** The document of every route registered so far, with what all of them share: the key they need and the problem they answer. */
export function describeApi(api: OpenAPIHono, publicUrl: string): ApiDocument {
  api.openAPIRegistry.registerComponent("securitySchemes", "key", { type: "http", scheme: "bearer" });
  api.openAPIRegistry.register("Problem", problem);
  const document = api.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Leeway",
      version,
      description:
        "Watches machine-learning models in production: collects what they are asked and answer, compares it with the training data, alerts, and asks for retraining.",
    },
    servers: [{ url: publicUrl }],
  }) as unknown as ApiDocument; // the generator's types are those of another package
  const paths = Object.entries(document.paths).map(([path, operations]) => [
    path,
    Object.fromEntries(
      Object.entries(operations).map(([method, operation]) => [method, complete(operation, method, path)]),
    ),
  ]);
  return { ...document, paths: Object.fromEntries(paths) };
}

function complete(operation: Operation, method: string, path: string): Operation {
  const permission = permissionFor(method.toUpperCase(), path.replaceAll(/\{[^}]+\}/g, "x"));
  const role = permission === "open" ? "Open to everybody." : `Needs the role ${LEAST_ROLE[permission]}.`;
  const content = { "application/problem+json": { schema: { $ref: "#/components/schemas/Problem" } } };
  const failures = Object.entries(operation.responses)
    .filter(([status, response]) => Number(status) >= 400 && response.content === undefined)
    .map(([status, response]) => [status, { ...response, content }]);
  return {
    ...operation,
    description: [operation.description, role].filter((text) => text !== undefined).join(" "),
    security: permission === "open" ? [] : [{ key: [] }],
    responses: {
      ...operation.responses,
      ...Object.fromEntries(failures),
      default: { description: "What went wrong", content },
    },
  };
}
