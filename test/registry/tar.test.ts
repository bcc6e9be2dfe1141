import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { expect, it, onTestFinished } from "vitest";
import { tar, tarBytes } from "../../registry/tar.ts";

it("unpacks with the tar of the system, whatever the files are called and however long they are", async () => {
  const folder = mkdtempSync(join(tmpdir(), "leeway-tar-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const contents: Readonly<Record<string, Buffer>> = {
    "m/empty": Buffer.alloc(0),
    "m/model.onnx": Buffer.alloc(512, 1),
    "m/weights 1.bin": Buffer.alloc(70_001, 2),
    "m/données/Ω.json": Buffer.from("{}"),
    [`m/${"deep/".repeat(30)}file.bin`]: Buffer.from("x"),
    [`m/${"n".repeat(98)}`]: Buffer.from("exactly a hundred"),
    [`m/${"n".repeat(99)}`]: Buffer.from("one more"),
  };
  const entries = Object.entries(contents).map(([path, content]) => ({
    path,
    bytes: content.length,
    open: () => Readable.from([content]),
  }));
  const archive = await buffer(tar(entries, new Date("2026-01-02T03:04:05Z")));
  expect(archive.length).toBe(tarBytes(entries));
  writeFileSync(join(folder, "all.tar"), archive);
  execFileSync("tar", ["xf", "all.tar"], { cwd: folder });
  for (const [path, content] of Object.entries(contents)) {
    expect(readFileSync(join(folder, path)).equals(content), path).toBe(true);
  }
});
