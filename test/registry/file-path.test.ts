import { describe, expect, it } from "vitest";
import { checkFilePath, checkTogether } from "../../registry/file-path.ts";

describe("a file's path", () => {
  it.each(["model.onnx", "a/b/c.bin", "weights/layer 1.bin", "données.json", ".hidden", "a..b", "ab:y", "…"])(
    "%s is taken as it is",
    (path) => {
      expect(checkFilePath(path)).toBe(path);
    },
  );

  it.each([
    ["", "empty"],
    ["../x", "leads out"],
    ["a/../../x", "leads out"],
    ["a/./x", "leads out"],
    ["/etc/passwd", "absolute"],
    ["C:\\x", "backslash"],
    ["C:x", "absolute"],
    ["a//b", "empty"],
    ["a/", "empty"],
    ["a\u0000b", "control"],
    ["a\nb", "control"],
    ["x".repeat(256), "longer than 255"],
    [`${"a/".repeat(256)}x`, "longer than 512"],
  ])("%j is refused", (path, why) => {
    expect(() => checkFilePath(path)).toThrow(why);
  });

  it.each([
    [["a", "a"]],
    [["A.onnx", "a.onnx"]],
    [["a", "a/b"]],
    [["x/y/z", "x/Y"]],
    [["caf\u00e9", "cafe\u0301"]],
  ])("%j cannot be in one folder", (paths) => {
    expect(() => checkTogether(paths)).toThrow("cannot both be in one version");
  });

  it("goes with others in the same folder", () => {
    expect(() => checkTogether(["a/b", "a/c", "ab", "b"])).not.toThrow();
  });
});
