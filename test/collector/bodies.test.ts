import { deflateSync, gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { post } from "./post.ts";
import { startCollector } from "./test-collector.ts";

const json = { "content-type": "application/json" };
const ndjson = { "content-type": "application/x-ndjson" };
const gzipped = { ...ndjson, "content-encoding": "gzip" };
const a = '{"id":"a","inputs":{"x":1}}';
const b = '{"id":"b","inputs":{"x":2}}';

function bytes(...parts: readonly (string | number)[]): Uint8Array {
  return Buffer.concat(parts.map((part) => (typeof part === "number" ? Buffer.of(part) : Buffer.from(part))));
}

const gzip = gzipSync(`${a}\n${b}\n`);

describe("a body", () => {
  const taken: readonly [string, string | Uint8Array, Record<string, string>, number][] = [
    ["lines", `${a}\n${b}\n`, ndjson, 2],
    ["lines without a last newline", `${a}\n${b}`, ndjson, 2],
    ["lines that end as on Windows", `${a}\r\n${b}\r\n`, ndjson, 2],
    ["blank lines", `\n\n${a}\n  \t\r\n${b}\n\n`, ndjson, 2],
    ["lines behind a byte order mark", bytes(0xef, 0xbb, 0xbf, a), ndjson, 1],
    ["one object", a, json, 1],
    ["one object over several lines", ` ${a.replaceAll(",", ",\n ")}\n`, json, 1],
    ["a list", `[${a},${b}]`, json, 2],
    ["a list with white space", ` [ ${a} ,\r\n\t${b} ] `, json, 2],
    ["a list behind a byte order mark", bytes(0xef, 0xbb, 0xbf, `[${a}]`), json, 1],
    ["an empty list", "[]", json, 0],
    ["nothing, as lines", "", ndjson, 0],
    ["gzip", gzip, gzipped, 2],
    ["gzip named as of old", gzip, { ...ndjson, "content-encoding": "x-gzip" }, 2],
    ["gzip in two members", Buffer.concat([gzipSync(`${a}\n`), gzipSync(b)]), gzipped, 2],
    ["deflate", deflateSync(a), { ...ndjson, "content-encoding": "deflate" }, 1],
    ["no encoding, named", a, { ...ndjson, "content-encoding": "identity" }, 1],
    ["other names of lines", a, { "content-type": "application/jsonl" }, 1],
    ["a charset", a, { "content-type": 'Application/JSON; charset="UTF-8"' }, 1],
  ];
  it.each(taken)("may be %s", async (_, body, headers, stored) => {
    const { api } = await startCollector();
    expect(await post(api, "records", body, headers)).toMatchObject({
      status: 202,
      answer: { received: stored, stored, errors: [] },
    });
  });

  const refused: readonly [string, string | Uint8Array, Record<string, string>, number, RegExp][] = [
    ["empty JSON", "", json, 400, /not JSON/],
    ["JSON cut short", `[${a},`, json, 400, /not JSON/],
    ["JSON and more", `${a}${b}`, json, 400, /not JSON/],
    ["neither a list nor an object", "3", json, 400, /neither a list of records nor a record/],
    ["JSON that is not UTF-8", bytes('[{"id":"', 0xff, '","inputs":{}}]'), json, 400, /not UTF-8/],
    ["gzip cut short", gzip.subarray(0, gzip.length - 9), gzipped, 400, /compressed body is damaged/],
    [
      "gzip with a wrong checksum",
      Buffer.concat([gzip.subarray(0, -8), Buffer.alloc(8)]),
      gzipped,
      400,
      /damaged/,
    ],
    ["no gzip", a, gzipped, 400, /compressed body is damaged/],
    ["no content type", a, {}, 415, /expected application\/json/],
    ["text", a, { "content-type": "text/plain" }, 415, /"text\/plain" is not taken/],
    ["a name of every object's prototype", a, { "content-type": "constructor" }, 415, /is not taken/],
    ["another charset", a, { "content-type": "application/json; charset=latin1" }, 415, /expected utf-8/],
    [
      "another encoding",
      a,
      { ...json, "content-encoding": "br" },
      415,
      /"br" is not taken here: expected gzip/,
    ],
  ];
  it.each(refused)("may not be %s", async (_, body, headers, status, why) => {
    const { api, collector, database } = await startCollector();
    const answer = await post(api, "records", body, headers);
    expect(answer).toMatchObject({ status, answer: { detail: expect.stringMatching(why) } });
    await collector.flush();
    expect(await database.all("select * from collected_models")).toEqual([]);
  });

  it("may be as long as the limit and not longer: as sent, announced or inflated", async () => {
    const { api } = await startCollector({ limits: { bodyBytes: 1_000 } });
    const fitting = a + " ".repeat(1_000 - a.length);
    expect((await post(api, "records", fitting)).status).toBe(202);
    const tooLong = `${fitting} `;
    for (const [body, headers] of [
      [tooLong, json],
      [tooLong, { ...json, "content-length": "1001" }],
      [gzipSync(tooLong), { ...json, "content-encoding": "gzip" }],
      [
        gzipSync(tooLong),
        { ...json, "content-encoding": "gzip", "content-length": String(gzipSync(tooLong).length) },
      ],
    ] as const) {
      expect(await post(api, "records", body, headers)).toMatchObject({
        status: 413,
        answer: { code: "too-large", detail: expect.stringContaining("1000 bytes") },
      });
    }
  });

  it("may not be a bomb", async () => {
    const { api, collector } = await startCollector();
    const bomb = gzipSync(Buffer.alloc(20_000_000, 0x20));
    expect(await post(api, "records", bomb, { ...json, "content-encoding": "gzip" })).toMatchObject({
      status: 413,
      answer: { detail: expect.stringContaining("more than 200 times its length") },
    });
    const room = collector.reserve();
    expect(() => room.grow(96 * 1024 * 1024)).not.toThrow(); // and none of its memory stays taken
    room.release();
  });
});

describe("too much at once", () => {
  it("is answered 429 with Retry-After when requests in work fill the memory set aside for them", async () => {
    const { api, collector } = await startCollector({ limits: { queuedBytes: 1_000 } });
    const other = collector.reserve();
    other.grow(990);
    expect(await post(api, "records", a)).toMatchObject({
      status: 429,
      retryAfter: "1",
      answer: {
        code: "queue-full",
        detail: expect.stringContaining("990 bytes of other requests are waiting, of 1000"),
      },
    });
    other.release();
    expect((await post(api, "records", a)).status).toBe(202);
  });

  it("is answered 429 with Retry-After when the tables do not keep up, and taken in once they do", async () => {
    const { api, collector, database } = await startCollector({ limits: { backlogBytes: 100, waitMs: 50 } });
    let goOn: () => void = () => undefined;
    const held = database.transaction(
      () =>
        new Promise<void>((resolve) => {
          goOn = resolve;
        }),
    );
    // One load is held, the next lies in its file, and what comes then waits in memory.
    const ids = ["a", "b", "c", "d", "e"];
    const answers: Awaited<ReturnType<typeof post>>[] = [];
    for (const id of ids) answers.push(await post(api, "records", [{ id, inputs: { x: 1 } }]));
    const refused = answers.findIndex(({ status }) => status === 429);
    expect(answers[refused]).toMatchObject({
      retryAfter: "2",
      answer: { detail: expect.stringMatching(/^\d+ bytes wait to be moved into the tables, of 100/) },
    });
    expect(refused).toBeGreaterThan(0);
    goOn();
    await held;
    await collector.flush();
    for (const [i, id] of ids.entries()) {
      const stored = answers[i]?.status === 202 ? 0 : 1;
      await collector.flush();
      expect(await post(api, "records", [{ id, inputs: { x: 1 } }])).toMatchObject({ answer: { stored } });
    }
  });

  it("of models or of features is named", async () => {
    const { api, collector } = await startCollector({ limits: { models: 1, columnsPerModel: 2 } });
    const wide = { id: "w", inputs: { a: 1, b: 2 }, outputs: { c: 3 } };
    expect((await post(api, "records", [wide, { inputs: { a: 1, b: 1 } }])).answer).toMatchObject({
      stored: 1,
      rejected: 1,
      errors: [{ index: 0, path: "outputs.c", message: expect.stringContaining('model "m" has 2 features') }],
    });
    const bytes = Buffer.from(a);
    await expect(collector.receiveRecords("other", { bytes, format: "json" })).rejects.toThrow(
      'model "other" is new, and records of 1 models are collected, the most there may be',
    );
  });
});
