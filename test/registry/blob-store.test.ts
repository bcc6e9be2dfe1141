import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { BlobStore } from "../../registry/blob-store.ts";
import { filesWithin, refusalOf } from "./test-registry.ts";

/** A store in which the hashes in `used` are referred to. */
async function openStore() {
  const folder = mkdtempSync(join(tmpdir(), "leeway-blobs-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const used = new Set<string>();
  const open = async () => {
    const store = new BlobStore({
      folder,
      usedOf: async (hashes) => new Set(hashes.filter((hash) => used.has(hash))),
    });
    return { store, ...(await store.clean()) };
  };
  return { ...(await open()), used, again: open, files: () => filesWithin(folder) };
}

const from = (text: string) => Readable.from([Buffer.from(text)]);

describe("the store of files by hash", () => {
  it("keeps what is referred to when it is let go of, once, under the hash of its content", async () => {
    const { store, used, files } = await openStore();
    const held = [await store.store(from("abc")), await store.store(from("abc"))];
    const hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    expect(held.map(({ sha256, bytes }) => [sha256, bytes])).toEqual([
      [hash, 3],
      [hash, 3],
    ]);
    used.add(hash);
    await store.release(held);
    expect(files()).toEqual([`blobs/ba/${hash}`]);
    expect((await buffer(store.read({ sha256: hash, bytes: 3 }))).toString()).toBe("abc");
  });

  it("takes away what nobody refers to when it is let go of, but not while another holds it", async () => {
    const { store, files } = await openStore();
    const [first, second] = [await store.store(from("abc")), await store.store(from("abc"))];
    await store.release([first]);
    expect(existsSync(store.path(first.sha256))).toBe(true);
    await store.release([second]);
    expect(files()).toEqual([]);
  });

  it("leaves nothing of content that breaks off or is refused", async () => {
    const { store, files } = await openStore();
    const broken = new Readable({
      read() {
        this.push("half");
        this.destroy(new Error("gone"));
      },
    });
    expect(await refusalOf(store.store(broken))).toMatchObject({ message: "gone" });
    const refuse = () => {
      throw new Error("too much");
    };
    expect(await refusalOf(store.store(from("abc"), refuse))).toMatchObject({ message: "too much" });
    expect(files()).toEqual([]);
  });

  it("finds at the start what a crash has left between storing and referring, and nothing else", async () => {
    const { store, used, again, files } = await openStore();
    const kept = await store.store(from("kept"));
    used.add(kept.sha256);
    await store.store(from("left behind"));
    writeFileSync(`${store.path(kept.sha256)}.note-of-a-human`, "hands off");
    const { removed } = await again();
    expect(removed).toBe(1);
    expect(files()).toEqual([
      expect.stringMatching(new RegExp(`${kept.sha256}$`)),
      expect.stringMatching(/note-of-a-human$/),
    ]);
  });

  it("gives no damaged content for good", async () => {
    const { store, used } = await openStore();
    const held = await store.store(from("the right content"));
    used.add(held.sha256);
    const path = store.path(held.sha256);
    chmodSync(path, 0o600);
    for (const wrong of ["the wrong content", "short", "the right content and more"]) {
      writeFileSync(path, wrong);
      expect(await refusalOf(buffer(store.read(held)))).toMatchObject({
        message: expect.stringContaining("is damaged"),
      });
    }
    rmSync(path);
    expect(await refusalOf(buffer(store.read(held)))).toMatchObject({ code: "ENOENT" });
    await store.release([await store.store(from("the right content"))]);
    expect(readFileSync(path, "utf8"), "stored again, it is whole again").toBe("the right content");
  });
});
