import type { OpenAPIHono } from "@hono/zod-openapi";
import type { IngestAnswer } from "../../schema/record.ts";

/** What the service answered: the counts of a batch, or a problem. */
export type Answer = IngestAnswer & { readonly code?: string; readonly detail?: string };

/** Posts to `/v1/models/m/<what>`; a string is sent as it is, anything else as JSON. */
export async function post(
  api: OpenAPIHono,
  what: "records" | "labels",
  body: unknown,
  headers: Readonly<Record<string, string>> = { "content-type": "application/json" },
): Promise<{ readonly status: number; readonly retryAfter: string | null; readonly answer: Answer }> {
  const sent = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  const answer = await api.request(`/v1/models/m/${what}`, {
    method: "POST",
    headers,
    body: sent as string,
  });
  return {
    status: answer.status,
    retryAfter: answer.headers.get("retry-after"),
    answer: (await answer.json()) as Answer,
  };
}
