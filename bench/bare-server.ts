import { serve } from "@hono/node-server";
import { Hono } from "hono";

/** The least a Hono service can do with a record: parse the body and answer 202. It stores nothing. */
const api = new Hono();
api.post("/v1/models/:model/records", async (context) => {
  const record = await context.req.json();
  return context.json(
    { received: 1, stored: 1, duplicates: 0, rejected: record.inputs ? 0 : 1, errors: [] },
    202,
  );
});
const server = serve({ fetch: api.fetch, port: 0, hostname: "127.0.0.1" }, ({ port }) => console.log(port));
process.on("SIGTERM", () => {
  server.close();
  process.exit(0);
});
