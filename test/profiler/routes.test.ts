import { OpenAPIHono } from "@hono/zod-openapi";
import { afterEach, describe, expect, it } from "vitest";
import { ProfileRuns } from "../../profiler/profile-runs.ts";
import { addProfileRoutes } from "../../profiler/routes.ts";
import { ServiceError } from "../../schema/errors.ts";
import { type Profile, profile } from "../../schema/profile.ts";
import { Database } from "../../store/database.ts";
import { EventStore } from "../../store/events.ts";
import { sampleProfile } from "./sample-profile.ts";

const opened: Database[] = [];
afterEach(async () => {
  for (const database of opened.splice(0)) await database.close();
});

async function service() {
  const database = await Database.open(":memory:", { threads: 1 });
  opened.push(database);
  const api = new OpenAPIHono();
  api.onError((error, c) =>
    error instanceof ServiceError
      ? c.json({ code: error.code, detail: error.message }, error.code === "not-found" ? 404 : 409)
      : c.json({ detail: error.message }, 500),
  );
  addProfileRoutes(api, new ProfileRuns({ database, now: () => new Date("2026-05-04T10:00:00Z") }));
  const post = (body: unknown) =>
    api.request("/v1/profiles", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    });
  const get = async (path: string) => {
    const answer = await api.request(path);
    return { status: answer.status, headers: answer.headers, body: await answer.text() };
  };
  return { api, database, post, get };
}

const numbered = (n: number, more: Partial<Profile> = {}): Profile => ({
  ...sampleProfile(),
  id: `p${n}`,
  created_at: `2026-05-0${n}T10:00:00.000Z`,
  ...more,
});

describe("profiles that were sent in", () => {
  it("come back as they were sent, and are told of once", async () => {
    const { post, get, database } = await service();
    const sent = numbered(1);
    for (let i = 0; i < 2; i += 1) {
      const answer = await post(sent);
      expect(answer.status).toBe(201);
      expect(await answer.json()).toMatchObject({ id: "p1", grade: "B", verdict: "holds" });
    }
    expect(profile.parse(JSON.parse((await get("/v1/profiles/p1")).body))).toEqual(sent);
    const events = await new EventStore(database).after(0, 10);
    expect(events.map((stored) => [stored.type, stored.subject])).toEqual([
      ["dev.leeway.profile.finished", "profiles/p1"],
    ]);
  });

  it("are listed newest first, by model, and page by page", async () => {
    const { post, get } = await service();
    const target = { ...sampleProfile().target, model: "churn", version: "3" };
    await post(numbered(1));
    await post(numbered(2, { target }));
    await post(numbered(3));
    const ids = async (path: string) => {
      const { profiles, cursor } = JSON.parse((await get(path)).body) as {
        profiles: Profile[];
        cursor: string | null;
      };
      return [profiles.map(({ id }) => id), cursor];
    };
    expect(await ids("/v1/profiles")).toEqual([["p3", "p2", "p1"], null]);
    expect(await ids("/v1/profiles?limit=2")).toEqual([["p3", "p2"], "p2"]);
    expect(await ids("/v1/profiles?limit=2&cursor=p2")).toEqual([["p1"], null]);
    expect(await ids("/v1/profiles?model=churn")).toEqual([["p2"], null]);
  });

  it("have a page of their own that loads nothing and runs nothing, whatever their name", async () => {
    const { post, get } = await service();
    await post(numbered(1, { name: '<script>alert("x")</script>' }));
    const { body, headers } = await get("/v1/profiles/p1/report.html");
    expect(headers.get("content-type")).toContain("text/html");
    expect(headers.get("content-security-policy")).toContain("default-src 'none'");
    expect(body).not.toContain("<script");
    expect(body).toContain("&lt;script&gt;");
    expect(body).not.toMatch(/(?:src|href)=/);
    expect(body.match(/<svg /g)?.length).toBeGreaterThanOrEqual(5);
  });

  it("are deleted, and then they are not there", async () => {
    const { api, post, get } = await service();
    await post(numbered(1));
    const remove = () => api.request("/v1/profiles/p1", { method: "DELETE" });
    expect((await remove()).status).toBe(204);
    expect((await remove()).status).toBe(404);
    expect((await get("/v1/profiles/p1")).body).toContain("profile list");
  });

  it("are refused when another one has the id, or when they are no profile", async () => {
    const { post } = await service();
    await post(numbered(1));
    expect((await post(numbered(1, { grade: "A" }))).status).toBe(409);
    expect((await post({ id: "p9" })).status).toBe(400);
  });
});
