import { execFileSync } from "node:child_process";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it, onTestFinished } from "vitest";
import { Journal, readSegment, segmentNumbers, segmentSeed } from "../../store/journal.ts";

const seed = Buffer.from("0123456789abcdef");

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "leeway-test-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, "journal");
}

async function framesOf(folder: string, segment: number, from = 0) {
  const found: string[] = [];
  const ends: number[] = [];
  let tornBytes = 0;
  for await (const { bytes, position } of readSegment(folder, segment, from, (bytes) => {
    tornBytes += bytes;
  })) {
    found.push(bytes.length > 40 ? `${bytes.length} bytes` : bytes.toString());
    ends.push(position.end);
  }
  return { found, ends, tornBytes };
}

/** A file system of one mebibyte; undefined where nobody may mount one. */
function smallDisk(): string | undefined {
  const folder = temporaryFolder();
  mkdirSync(folder, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  onTestFinished(() => void execFileSync("umount", ["--lazy", folder]));
  return folder;
}

describe("the journal", () => {
  it("takes frames while others are on their way, and keeps their order", async () => {
    const folder = temporaryFolder();
    const journal = await Journal.open(folder, seed, 0);
    const texts = Array.from({ length: 40 }, (_, i) => `frame ${i}`);
    const settled: string[] = [];
    await Promise.all(
      texts.map(async (text) => {
        await journal.append([Buffer.from(text)]);
        settled.push(text);
      }),
    );
    expect(settled).toEqual(texts);
    await journal.close("needed");
    expect((await framesOf(folder, 1)).found).toEqual(texts);
  });

  it("on a full disk fails what does not fit and all behind it, and goes on when there is room", async ({
    skip,
  }) => {
    const folder = smallDisk();
    if (folder === undefined) return skip("only root may mount a small disk");
    const ballast = join(folder, "ballast");
    writeFileSync(ballast, Buffer.alloc(700 * 1024));
    const journal = await Journal.open(join(folder, "journal"), seed, 0);
    const frame = (name: string, length: number) => Buffer.from(name.repeat(length));
    const sent = [frame("a", 30), frame("b", 400 * 1024), frame("c", 30), frame("d", 30)];
    const results = await Promise.allSettled(sent.map((bytes) => journal.append([bytes])));
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "rejected", "rejected"]);
    rmSync(ballast);
    await Promise.all([journal.append([frame("e", 30)]), journal.append([frame("f", 30)])]);
    await journal.close("needed");
    expect(await framesOf(join(folder, "journal"), 1)).toMatchObject({
      found: ["a".repeat(30), "e".repeat(30), "f".repeat(30)],
      tornBytes: 0,
    });
  });

  it("gives back what was appended, in order, and from any place it named", async () => {
    const folder = temporaryFolder();
    const journal = await Journal.open(folder, seed, 0);
    const first = await journal.append([Buffer.from("one"), Buffer.from("two")]);
    const [third] = await journal.append([Buffer.from("three")]);
    await journal.close("needed");
    expect(await segmentSeed(folder, 1)).toEqual(seed);
    expect(await framesOf(folder, 1)).toMatchObject({
      found: ["one", "two", "three"],
      ends: [...first, third].map((position) => position?.end),
      tornBytes: 0,
    });
    expect(await framesOf(folder, 1, first[0]?.end)).toMatchObject({ found: ["two", "three"] });
    expect(await framesOf(folder, 1, third?.end)).toMatchObject({ found: [] });
  });

  it("goes on in a new segment behind those that are there and behind the largest ever used", async () => {
    const folder = temporaryFolder();
    for (const after of [0, 0, 7]) {
      const journal = await Journal.open(folder, seed, after);
      await journal.append([Buffer.from("x")]);
      await journal.close("needed");
    }
    expect(await segmentNumbers(folder)).toEqual([1, 2, 8]);
  });

  it("begins a segment when the last is full, and removes those that are loaded", async () => {
    const folder = temporaryFolder();
    const journal = await Journal.open(folder, seed, 0);
    const large = Buffer.alloc(65 * 1024 * 1024, 1);
    expect(await journal.append([large])).toMatchObject([{ segment: 1 }]);
    expect(await journal.append([Buffer.from("small")])).toMatchObject([{ segment: 2 }]);
    expect(await framesOf(folder, 1)).toMatchObject({ found: [`${large.length} bytes`] });
    await journal.removeBefore(2);
    expect(await segmentNumbers(folder)).toEqual([2]);
    await journal.close("loaded");
    expect(readdirSync(folder)).toEqual([]);
  });

  it("cut anywhere gives back whole frames only, and all of those before the cut", async () => {
    const folder = temporaryFolder();
    const journal = await Journal.open(folder, seed, 0);
    const texts = ["a", "bb", "ccc", "d".repeat(30)];
    const positions = await journal.append(texts.map((text) => Buffer.from(text)));
    await journal.close("needed");
    const file = join(folder, readdirSync(folder)[0] ?? "");
    for (let length = statSync(file).size - 1; length >= 24; length--) {
      truncateSync(file, length);
      const whole = positions.filter(({ end }) => end <= length);
      expect(await framesOf(folder, 1), `cut at ${length}`).toEqual({
        found: texts.slice(0, whole.length),
        ends: whole.map(({ end }) => end),
        tornBytes: length - (whole.at(-1)?.end ?? 24),
      });
    }
    truncateSync(file, 23);
    expect(await segmentSeed(folder, 1)).toBeUndefined();
  });

  it("with any byte changed gives back frames that were written and no others", async () => {
    const folder = temporaryFolder();
    const journal = await Journal.open(folder, seed, 0);
    const texts = ["first frame", "second frame", "third frame"];
    const positions = await journal.append(texts.map((text) => Buffer.from(text)));
    await journal.close("needed");
    const file = join(folder, readdirSync(folder)[0] ?? "");
    const whole = readFileSync(file);
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 24, max: whole.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        async (at, change) => {
          const spoilt = Buffer.from(whole);
          spoilt[at] = (spoilt[at] ?? 0) ^ change;
          writeFileSync(file, spoilt);
          const before = positions.filter(({ end }) => end <= at).length;
          expect((await framesOf(folder, 1)).found).toEqual(texts.slice(0, before));
        },
      ),
      { numRuns: 200 },
    );
  });

  it("refuses a seed of another length", async () => {
    await expect(Journal.open(temporaryFolder(), Buffer.alloc(3), 0)).rejects.toThrow(
      "journal seed of 3 bytes",
    );
  });
});
