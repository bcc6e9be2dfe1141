import { mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Batch, BatchBuilder } from "../../../collector/sidecar/batch.ts";
import { Counters } from "../../../collector/sidecar/counters.ts";
import { endToEnd } from "../../../collector/sidecar/hop-by-hop.ts";
import { Outbox } from "../../../collector/sidecar/outbox.ts";
import { recordWriter } from "../../../collector/sidecar/record-text.ts";
import { parseRedaction, redactor } from "../../../collector/sidecar/redact.ts";
import { isSampled } from "../../../collector/sidecar/sampling.ts";
import { type CallHead, readSlab, type Slab, SlabWriter } from "../../../collector/sidecar/slab.ts";
import { Spool } from "../../../collector/sidecar/spool.ts";
import { temporaryFolder } from "./here.ts";

describe("the hand-over to the background", () => {
  const line = fc.string({ maxLength: 20 }).map((text) => text.replace(/[^ -~\u00a0-\u00ff]/g, ""));
  const payload = fc.record({
    state: fc.constantFrom("whole", "too-long", "cut-off", "no-memory"),
    type: fc.option(line, { nil: undefined }),
    encoding: fc.option(line, { nil: undefined }),
    headerLength: fc.option(line, { nil: undefined }),
    body: fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 3 }),
  });
  const call = fc.record({
    id: line,
    idState: fc.constantFrom("settled", "open"),
    timeMs: fc.integer({ min: 0 }),
    latencyMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
    status: fc.integer({ min: 100, max: 999 }),
    path: line,
    request: payload,
    response: payload,
  });

  it("changes nothing of any call", () => {
    fc.assert(
      fc.property(fc.array(call, { maxLength: 8 }), fc.boolean(), (calls, flushEach) => {
        const slabs: Slab[] = [];
        const writer = new SlabWriter((slab) => slabs.push(slab));
        for (const each of calls) {
          writer.add(
            {
              ...each,
              request: headOf(each.request),
              response: headOf(each.response),
            } as unknown as CallHead,
            7,
          );
          if (flushEach) writer.flush();
        }
        writer.flush();
        const read = slabs.flatMap((slab) => [...readSlab(slab)]);
        expect(read.map(plain)).toEqual(
          calls.map((each) =>
            plain({ ...each, request: whole(each.request), response: whole(each.response) }),
          ),
        );
        expect(slabs.reduce((sum, { calls: n }) => sum + n, 0)).toBe(calls.length);
        expect(slabs.reduce((sum, { heldBytes }) => sum + heldBytes, 0)).toBe(7 * calls.length);
      }),
    );
  });

  interface Made {
    readonly type: string | undefined;
    readonly encoding: string | undefined;
    readonly headerLength: string | undefined;
    readonly body: readonly Uint8Array[];
  }
  const headOf = ({ body, ...rest }: Made) => {
    const chunks = body.map((chunk) => Buffer.from(chunk));
    return { ...rest, chunks, bytes: chunks.reduce((sum, chunk) => sum + chunk.length, 0) };
  };
  const whole = ({ body, ...rest }: Made) => ({
    ...rest,
    type: rest.type || undefined,
    encoding: rest.encoding || undefined,
    headerLength: rest.headerLength || undefined,
    body: Buffer.concat(body),
  });
  const plain = (value: unknown): unknown =>
    JSON.parse(JSON.stringify(value, (_, item) => (Buffer.isBuffer(item) ? item.toString("hex") : item)));
});

describe("a record's text", () => {
  it("is read back as what it was made of", () => {
    const write = recordWriter(
      { id: 'a"b', timeMs: 1_700_000_000_000, latencyMs: 1.5, status: 200 },
      { version: "3", deployment: undefined, redact: (values) => values },
    );
    const row = { row: 2, inputs: { "a b": [1, null], ü: "x\ny" }, outputs: { deep: { big: 2n ** 60n } } };
    expect(write(row)).toContain('"big":1152921504606846976');
    expect(JSON.parse(write({ ...row, outputs: { score: 0.1 } }))).toEqual({
      id: 'a"b',
      row: 2,
      time: "2023-11-14T22:13:20.000Z",
      version: "3",
      inputs: row.inputs,
      outputs: { score: 0.1 },
      status: 200,
      latency_ms: 1.5,
    });
  });
});

describe("redaction", () => {
  it.each([
    ["name", { name: "name", how: "drop" }],
    ["a=b=hash", { name: "a=b", how: "hash" }],
    ["text=truncate:12", { name: "text", how: "truncate", length: 12 }],
    ["x=drop", { name: "x", how: "drop" }],
  ])("%s", (text, is) => expect(parseRedaction(text)).toEqual(is));

  it.each(["name=mask", "name=truncate", "name=truncate:-1"])("refuses %s", (text) =>
    expect(() => parseRedaction(text)).toThrow(
      /is no way to redact name: expected drop, hash or truncate:LENGTH/,
    ),
  );

  it("hashes with the key: equal stays equal, another key makes another", () => {
    const hash = (key: string, value: string) => redactor([{ name: "a", how: "hash" }], key)({ a: value }).a;
    expect(hash("k", "x")).toBe(hash("k", "x"));
    expect(hash("k", "x")).not.toBe(hash("l", "x"));
    expect(hash("k", "x")).not.toBe(hash("k", "y"));
    expect(() => redactor([{ name: "a", how: "hash" }], undefined)).toThrow(
      "a is to be hashed, and there is no key",
    );
  });

  it("leaves what is missing missing, and drops what cannot be cut", () => {
    const redact = redactor(
      [
        { name: "a", how: "hash" },
        { name: "b", how: "truncate", length: 2 },
      ],
      "k",
    );
    expect(redact({ a: null, b: 12_345 })).toEqual({ a: null });
    expect(redact({ b: "😀😀😀" })).toEqual({ b: "😀😀" });
  });
});

describe("sampling", () => {
  it("keeps about its share of ids that differ little", () => {
    for (const share of [0.01, 0.1, 0.5, 0.9]) {
      const kept = Array.from({ length: 20_000 }, (_, i) => isSampled(`request-${i}`, share)).filter(Boolean);
      expect(Math.abs(kept.length / 20_000 - share)).toBeLessThan(
        4 * Math.sqrt((share * (1 - share)) / 20_000),
      );
    }
  });
});

describe("fields for one hop", () => {
  it("never lose what frames a message, whatever Connection names", () => {
    const raw = ["Host", "x", "Content-Length", "3", "X-Mine", "1", "Upgrade", "h2c", "X-Other", "2"];
    expect(endToEnd(raw, "content-length, host, x-mine")).toEqual([
      "Host",
      "x",
      "Content-Length",
      "3",
      "X-Other",
      "2",
    ]);
  });
});

describe("a batch", () => {
  it("is compressed, unless it would look like a bomb", () => {
    const builder = new BatchBuilder();
    for (let i = 0; i < 100; i += 1) builder.add(JSON.stringify({ id: `id-${i}`, x: Math.random() }), 5);
    const mixed = builder.take() as Batch;
    expect([mixed.encoding, mixed.records, mixed.timeMs]).toEqual(["gzip", 100, 5]);
    expect(gunzipSync(mixed.body).toString().trim().split("\n")).toHaveLength(100);
    builder.add(`{"x":"${"0".repeat(400_000)}"}`, 6);
    expect(builder.take()?.encoding).toBe("identity");
    expect(builder.take()).toBeUndefined();
  });
});

describe("the spool", () => {
  const batch = (timeMs: number, bytes = 100): Batch => ({
    body: Buffer.alloc(bytes, 1),
    encoding: "gzip",
    records: 3,
    timeMs,
  });

  it("gives batches in the order of their times, also to the next process", () => {
    const folder = temporaryFolder();
    const spool = Spool.open(folder, 10_000);
    for (const time of [1_000, 2_000, 3_000]) expect(spool.write(batch(time))).toBe("written");
    writeFileSync(join(folder, "0000-half.ndjson.gz.partial"), "killed while it wrote");
    writeFileSync(join(folder, "notes.txt"), "not ours");
    const next = Spool.open(folder, 10_000);
    expect([next.records, next.bytes, next.oldestMs]).toEqual([9, 300, 1_000]);
    const times = [next.take(), next.take(), next.take(), next.take()].map((segment) => segment?.timeMs);
    expect(times).toEqual([1_000, 2_000, 3_000, undefined]);
    expect(readdirSync(folder)).not.toContain("0000-half.ndjson.gz.partial");
    expect(readdirSync(folder)).toContain("notes.txt");
  });

  it("takes no more than its limit, and again when there is room", () => {
    const spool = Spool.open(temporaryFolder(), 250);
    expect([1, 2, 3].map((time) => spool.write(batch(time)))).toEqual(["written", "written", "full"]);
    const first = spool.take();
    if (first) spool.remove(first);
    expect(spool.write(batch(4))).toBe("written");
    expect([spool.bytes, spool.records]).toEqual([200, 6]);
  });

  it("says that it failed when the disk does not take it, and leaves nothing half", () => {
    const folder = join(temporaryFolder(), "spool");
    const spool = Spool.open(folder, 10_000);
    rmSync(folder, { recursive: true });
    expect(spool.write(batch(1))).toBe("failed");
    mkdirSync(folder);
    expect(spool.write(batch(2))).toBe("written");
    expect([readdirSync(folder).length, spool.bytes]).toEqual([1, 100]);
  });

  it("keeps a file that cannot be read for now, and it holds nothing else back", async () => {
    const folder = temporaryFolder();
    const spool = Spool.open(folder, 10_000);
    for (const time of [1_000, 2_000]) spool.write(batch(time));
    const [unreadable = ""] = readdirSync(folder).sort();
    rmSync(join(folder, unreadable));
    mkdirSync(join(folder, unreadable)); // root may read any file, and nobody a folder
    const sent: number[] = [];
    const told: string[] = [];
    const counters = new Counters();
    const outbox = new Outbox({
      post: async ({ timeMs, records }) => {
        sent.push(timeMs);
        return { outcome: "stored", stored: records, duplicates: 0, rejected: 0, sampledOut: 0 };
      },
      spool,
      memoryBytes: 10_000,
      counters,
      log: (_, message) => told.push(message),
      random: () => 0,
    });
    outbox.add(batch(3_000));
    await outbox.drain(5_000);
    expect(sent).toEqual([2_000, 3_000]);
    expect([readdirSync(folder), counters.get("spooled_records")]).toEqual([[unreadable], 3]);
    expect(told).toContain("a file of the spool cannot be read: it stays, and is tried again");
  });
});
