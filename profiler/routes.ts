import { createRoute, type OpenAPIHono } from "@hono/zod-openapi";
import { z } from "zod";
import { resourceName } from "../schema/names.ts";
import { profile, profileSummary } from "../schema/profile.ts";
import type { ProfileRuns } from "./profile-runs.ts";
import { profileHtml } from "./report/profile-html.ts";

const params = z.object({ id: z.string().min(1).max(64) });
const tags = ["Profiler"];
const json = <T extends z.ZodType>(schema: T, description: string) => ({
  description,
  content: { "application/json": { schema } },
});

const postProfile = createRoute({
  method: "post",
  path: "/v1/profiles",
  summary: "Keep a profile that `leeway profile run` made",
  description:
    "Services are loaded where the command runs, never by this server: a call that starts commands or sends load would be a weapon. The same profile again changes nothing.",
  tags,
  request: { body: { required: true, content: { "application/json": { schema: profile } } } },
  responses: { 201: json(profileSummary, "What was kept") },
});
const listProfiles = createRoute({
  method: "get",
  path: "/v1/profiles",
  summary: "Profiles, newest first",
  tags,
  request: {
    query: z.object({
      model: resourceName.optional(),
      name: z.string().max(256).optional(),
      limit: z.coerce.number().int().min(1).max(500).default(50),
      cursor: z.string().max(64).optional(),
    }),
  },
  responses: {
    200: json(z.object({ profiles: z.array(profileSummary), cursor: z.string().nullable() }), "The profiles"),
  },
});
const getProfile = createRoute({
  method: "get",
  path: "/v1/profiles/{id}",
  summary: "One profile with all its windows",
  tags,
  request: { params },
  responses: { 200: json(profile, "The profile") },
});
const getReport = createRoute({
  method: "get",
  path: "/v1/profiles/{id}/report.html",
  summary: "The profile as a page that stands by itself",
  tags,
  request: { params },
  responses: { 200: { description: "The page", content: { "text/html": { schema: z.string() } } } },
});
const deleteProfile = createRoute({
  method: "delete",
  path: "/v1/profiles/{id}",
  summary: "Delete a profile",
  tags,
  request: { params },
  responses: { 204: { description: "Deleted" } },
});

/** The calls about profiles of services. */
export function addProfileRoutes(api: OpenAPIHono, runs: ProfileRuns): void {
  api.openapi(postProfile, async (c) => c.json(await runs.add(c.req.valid("json")), 201));
  api.openapi(listProfiles, async (c) => {
    const { model, name, limit, cursor } = c.req.valid("query");
    const profiles = await runs.list({ model, name, limit, before: cursor });
    return c.json(
      { profiles, cursor: profiles.length === limit ? (profiles.at(-1)?.id ?? null) : null },
      200,
    );
  });
  api.openapi(getProfile, async (c) => c.json(await runs.get(c.req.valid("param").id), 200));
  api.openapi(getReport, async (c) =>
    c.html(profileHtml(await runs.get(c.req.valid("param").id)), 200, {
      // Names and commands in it come from outside; the page needs no script and nothing from elsewhere.
      "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    }),
  );
  api.openapi(deleteProfile, async (c) => {
    await runs.remove(c.req.valid("param").id);
    return c.body(null, 204);
  });
}
