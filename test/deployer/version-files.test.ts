import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, it } from "vitest";
import { placeFiles } from "../../deployer/version-files.ts";
import type { ResolvedVersion } from "../../schema/model-version.ts";
import { modelFolder } from "./replica-on.ts";

const folder = modelFolder();
afterAll(() => folder.remove());

/** A version whose file `weights.bin` holds this text. */
function versionWith(weights: string): ResolvedVersion {
  const files = Object.entries({ "model.onnx": "graph", "weights.bin": weights }).map(([path, content]) => {
    const sha256 = createHash("sha256").update(content).digest("hex");
    return { path, sha256, bytes: content.length, blob_path: folder.write(sha256, Buffer.from(content)) };
  });
  return { model: "large", version: "1", files, main_file: "model.onnx" } as unknown as ResolvedVersion; // what is read of it
}

it("weights beside a model are those of the version, whatever lay there", async () => {
  const placed = (await placeFiles(versionWith("first"), folder.path)) as string; // of two files
  expect(readFileSync(join(placed, "weights.bin"), "utf8")).toBe("first");
  await placeFiles(versionWith("other"), folder.path);
  expect(readFileSync(join(placed, "weights.bin"), "utf8")).toBe("other");
});

it("weights that were damaged where they are kept are not served", async () => {
  const version = versionWith("whole");
  const weights = version.files.find(({ path }) => path === "weights.bin");
  writeFileSync(weights?.blob_path ?? "", "whale");
  await expect(placeFiles(version, folder.path)).rejects.toThrow(
    /version 1 of large cannot be served: weights\.bin is not the file that was registered/,
  );
});
