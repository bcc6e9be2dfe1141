import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { callerKeys } from "../../app/caller-keys.ts";

const folder = mkdtempSync(join(tmpdir(), "leeway-keys-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
const desk = { name: "desk", hash: `sha256:${"0".repeat(64)}` };
const good = file("shop.key", "key-of-the-shop-0123456789\n");
/** printf key-of-the-shop-0123456789 | sha256sum */
const shop = {
  name: "shop",
  hash: "sha256:d11d797c14e37ab290f842e36e0edcbd23b19ff020b0f510809eb1db3f8d1a04",
};

describe("--caller-key", () => {
  it.each([
    { before: [], changes: [`shop=${good}`], after: [shop] },
    { before: [desk], changes: [`shop=${good}`], after: [desk, shop] },
    { before: [desk], changes: [`desk=${good}`], after: [{ ...shop, name: "desk" }] },
    { before: [desk, shop], changes: ["shop="], after: [desk] },
    { before: [desk], changes: ["none", `shop=${good}`], after: [shop] },
  ])("$changes makes of $before: $after", ({ before, changes, after }) => {
    expect(callerKeys(before.length > 0 ? { keys: before } : undefined, changes)).toEqual({ keys: after });
  });

  it.each([["desk="], ["none"]])("%s leaves none, so that anybody may call", (change) => {
    expect(callerKeys({ keys: [desk] }, [change])).toBeUndefined();
  });

  it.each([
    { change: "shop=", says: "--caller-key shop=: there is no such key, there are desk" },
    { change: "shop", says: "--caller-key shop: expected NAME=FILE, NAME= or none" },
    {
      change: `shop=${join(folder, "none")}`,
      says: `--caller-key: ${join(folder, "none")} cannot be read (ENOENT)`,
    },
    {
      change: `shop=${file("short.key", "abc")}`,
      says: `--caller-key: ${join(folder, "short.key")} holds no key: expected 20 characters or more, without spaces`,
    },
  ])("$says", ({ change, says }) => {
    expect(() => callerKeys({ keys: [desk] }, [change])).toThrow(says);
  });
});
