import { expect, it } from "vitest";
import { startService } from "../app/test-service.ts";

/** The service with versions 1 and 2 of a model, and calls about its jobs. */
async function startWithVersions() {
  const service = await startService({ now: new Date("2026-01-02T03:04:05Z") });
  const { url } = service.server();
  for (const text of ["one", "two"]) {
    const form = new FormData();
    form.append("name", "churn");
    form.append("file", new Blob([text]), "model.bin");
    expect((await fetch(`${url}/v1/models`, { method: "POST", body: form })).status).toBe(201);
  }
  const call = async (method: string, path: string, body?: object) => {
    const response = await fetch(`${url}/v1/models/churn${path}`, {
      method,
      ...(body ? { body: JSON.stringify(body), headers: { "content-type": "application/json" } } : {}),
    });
    const text = await response.text();
    return { status: response.status, json: text === "" ? undefined : JSON.parse(text) };
  };
  return { service, call };
}

const what = { what: "profile run of ana on box-3" };

it("a version is not deleted while a job works with it, and its model is not either", async () => {
  const { call } = await startWithVersions();
  const kept = await call("PUT", "/versions/1/jobs/a", what);
  expect(kept).toEqual({
    status: 200,
    json: {
      id: "a",
      model: "churn",
      version: "1",
      ...what,
      since: "2026-01-02T03:04:05.000Z",
      until: "2026-01-02T03:05:05.000Z",
    },
  });
  const detail =
    'version 1 of model "churn" cannot be deleted: the job "profile run of ana on box-3", running since 2026-01-02T03:04:05.000Z, uses it';
  expect(await call("DELETE", "/versions/1")).toMatchObject({
    status: 409,
    json: { code: "conflict", detail },
  });
  expect(await call("DELETE", "")).toMatchObject({ status: 409, json: { detail } });
  expect(await call("GET", "/versions/1/jobs")).toEqual({ status: 200, json: { jobs: [kept.json] } });
  expect((await call("DELETE", "/versions/2")).status).toBe(204);

  expect((await call("DELETE", "/versions/1/jobs/a")).status).toBe(204);
  expect(await call("GET", "/versions/1/jobs")).toEqual({ status: 200, json: { jobs: [] } });
  expect((await call("DELETE", "/versions/1")).status).toBe(204);
});

it("a job that has not been heard of for a minute has ended; one that speaks up goes on", async () => {
  const { service, call } = await startWithVersions();
  await call("PUT", "/versions/1/jobs/killed", what);
  await call("PUT", "/versions/2/jobs/alive", what);
  service.setNow(new Date("2026-01-02T03:05:04Z"));
  expect((await call("DELETE", "/versions/1")).status).toBe(409);
  const again = await call("PUT", "/versions/2/jobs/alive", what);
  expect(again.json).toMatchObject({ since: "2026-01-02T03:04:05.000Z", until: "2026-01-02T03:06:04.000Z" });
  service.setNow(new Date("2026-01-02T03:05:05Z"));
  expect((await call("DELETE", "/versions/1")).status).toBe(204);
  expect((await call("DELETE", "/versions/2")).status).toBe(409);
});

it.each([
  { says: "not-found", path: "/versions/3/jobs/b", body: what },
  { says: "conflict", path: "/versions/2/jobs/a", body: what },
  { says: "invalid-input", path: "/versions/1/jobs/b", body: { what: "two\nlines" } },
  { says: "invalid-input", path: "/versions/1/jobs/b", body: { ...what, until: "2030-01-01" } },
])("$path with $body is refused: $says", async ({ says, path, body }) => {
  const { call } = await startWithVersions();
  await call("PUT", "/versions/1/jobs/a", what);
  expect((await call("PUT", path, body)).json).toMatchObject({ code: says });
  // Nor does the word on another version end it.
  await call("DELETE", "/versions/2/jobs/a");
  expect((await call("DELETE", "/versions/1")).status).toBe(409);
});
