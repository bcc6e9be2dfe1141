import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { startService } from "../app/test-service.ts";
import { call, NOW, upload } from "./call-registry.ts";

describe("files", () => {
  it("come as they were sent, with their hash, one or all", async () => {
    const service = await startService({ now: NOW });
    const { body } = await upload(service, { name: "churn" }, { "a b/données.txt": "text", empty: "" });
    const sha256 = (body.files as { path: string; sha256: string }[])[0]?.sha256 ?? "";
    const path = "/v1/models/churn/versions/1/files/a%20b/donn%C3%A9es.txt";
    const file = await call(service, "GET", path);
    expect([file.body.text, file.headers.get("etag"), file.headers.get("content-length")]).toEqual([
      "text",
      `"${sha256}"`,
      "4",
    ]);
    const again = await fetch(`${service.server().url}${path}`, {
      headers: { "if-none-match": `"${sha256}"` },
    });
    expect(again.status).toBe(304);
    const head = await fetch(`${service.server().url}${path}`, { method: "HEAD" });
    expect([head.status, head.headers.get("content-length")]).toEqual([200, "4"]);
    expect((await call(service, "GET", "/v1/models/churn/versions/latest/files/empty")).body.text).toBe("");
    const missing = await call(service, "GET", "/v1/models/churn/versions/1/files/none");
    expect(missing).toMatchObject({
      status: 404,
      body: { detail: expect.stringContaining("it has a b/données.txt, empty") },
    });
    const archive = await fetch(`${service.server().url}/v1/models/churn/versions/1/archive`);
    expect(Number(archive.headers.get("content-length"))).toBe((await archive.arrayBuffer()).byteLength);
  });

  it.each([
    ["bytes=0-3", 206, "the ", "bytes 0-3/17"],
    ["bytes=10-", 206, "content", "bytes 10-16/17"],
    ["bytes=-4", 206, "tent", "bytes 13-16/17"],
    ["bytes=-99", 206, "the right content", "bytes 0-16/17"],
    ["bytes=15-99", 206, "nt", "bytes 15-16/17"],
    ["bytes=17-", 416, "", "bytes */17"],
    ["bytes=-0", 416, "", "bytes */17"],
    ["bytes=5-4", 200, "the right content", null],
    ["bytes=0-1,4-5", 200, "the right content", null],
    ["rows=0-1", 200, "the right content", null],
    ["bytes=-", 200, "the right content", null],
  ])("come in parts: %s", async (range, status, text, contentRange) => {
    const service = await startService({ now: NOW });
    const { body } = await upload(service, { name: "churn" }, { m: "the right content" });
    const url = `${service.server().url}/v1/models/churn/versions/1/files/m`;
    const part = await fetch(url, { headers: { range } });
    expect([part.status, await part.text(), part.headers.get("content-range")]).toEqual([
      status,
      text,
      contentRange,
    ]);
    expect(part.headers.get("accept-ranges")).toBe("bytes");
    const { sha256 = "" } = (body.files as { sha256: string }[])[0] ?? {};
    const conditions = [`"${sha256}"`, '"of another version"'];
    const parts = await Promise.all(
      conditions.map((condition) =>
        fetch(url, { headers: { range: "bytes=0-0", "if-range": condition } }).then((each) => each.text()),
      ),
    );
    expect(parts).toEqual(["t", "the right content"]);
  });

  it("that are damaged on the disk do not arrive", async () => {
    const service = await startService({ now: NOW });
    const { body } = await upload(service, { name: "churn" }, { m: "the right content" });
    const sha256 = (body.files as { sha256: string }[])[0]?.sha256 ?? "";
    const stored = join(service.dataDir, "models/blobs", sha256.slice(0, 2), sha256);
    chmodSync(stored, 0o600);
    writeFileSync(stored, "the wrong content");
    const get = (path: string) => fetch(`${service.server().url}/v1/models/churn/versions/1/${path}`);
    const first = get("files/m").then((answer) => answer.text());
    await expect(first).rejects.toThrow(/terminated/); // it is found out at the end, when the beginning has been sent
    for (const path of ["files/m", "archive"]) {
      const answer = await get(path);
      expect(answer.status, path).toBe(503);
      expect(await answer.text()).toContain(
        `m of churn:1 is damaged where it is stored: register the same file again, or restore models/blobs/${sha256.slice(0, 2)}/${sha256} from a backup`,
      );
    }
    await upload(service, { name: "other" }, { m: "the right content" });
    for (const path of ["files/m", "archive"])
      expect(await (await get(path)).text()).toContain("the right content");
  });

  it("that are damaged on the disk do not arrive in an archive", async () => {
    const service = await startService({ now: NOW });
    const { body } = await upload(service, { name: "churn" }, { m: "the right content" });
    const sha256 = (body.files as { sha256: string }[])[0]?.sha256 ?? "";
    rmSync(join(service.dataDir, "models/blobs", sha256.slice(0, 2), sha256));
    const got = fetch(`${service.server().url}/v1/models/churn/versions/1/archive`).then((it_) => it_.text());
    await expect(got).rejects.toThrow(/terminated/);
  });
});
