import type { TestService } from "../app/test-service.ts";

export const NOW = new Date("2026-01-02T03:04:05Z");

/** Uploads texts as files, and other fields as they are. */
export async function upload(
  service: TestService,
  fields: Readonly<Record<string, string>>,
  files: Readonly<Record<string, string>> = { "model.bin": "a model" },
  headers: Readonly<Record<string, string>> = {},
) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.append(name, value);
  for (const [path, text] of Object.entries(files)) form.append("file", new Blob([text]), path);
  return answerOf(`${service.server().url}/v1/models`, { method: "POST", body: form, headers });
}

export async function answerOf(url: string, init: RequestInit = {}) {
  const response = await fetch(url, init);
  const text = await response.text();
  const body = (text.startsWith("{") ? JSON.parse(text) : { text }) as Readonly<Record<string, unknown>>;
  return { status: response.status, body, headers: response.headers };
}

export const call = (service: TestService, method: string, path: string, body?: unknown) =>
  answerOf(`${service.server().url}${path}`, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
