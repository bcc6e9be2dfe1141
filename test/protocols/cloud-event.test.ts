import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCaptured } from "../../protocols/capture.ts";
import { binaryEvent, type CloudEvent, dataJson, structuredEvent } from "../../protocols/cloud-event.ts";
import type { JsonObject } from "../../protocols/json.ts";
import { writeJson } from "../../protocols/json.ts";
import { jsonValue } from "./arbitraries.ts";
import { bytesOf } from "./payload.ts";

const text = fc
  .string({ unit: "grapheme", minLength: 1, maxLength: 20 })
  .filter((value) => value.trim() === value);
const extensionName = fc
  .stringMatching(/^[a-z][a-z0-9]{2,12}$/)
  .filter(
    (name) => !["specversion", "subject", "source", "data", "time", "type", "dataschema"].includes(name),
  );

const event = fc.record({
  id: text,
  source: text,
  type: text,
  subject: fc.option(text, { nil: undefined }),
  time: fc.constantFrom("2026-01-02T03:04:05Z", undefined),
  extensions: fc.dictionary(extensionName, text, { maxKeys: 4 }),
  value: jsonValue,
});
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

function attributesOf({ id, source, type, subject, time, extensions }: Event): JsonObject {
  return {
    specversion: "1.0",
    id,
    source,
    type,
    ...(subject === undefined ? {} : { subject }),
    ...(time === undefined ? {} : { time }),
    ...extensions,
  };
}

/** As a sender writes it in binary mode: everything but printable ASCII, and the space, quote and percent sign, encoded. */
function binary(sent: Event) {
  const headers = Object.entries(attributesOf(sent)).map(([name, value]) => [
    `ce-${name}`,
    encodeURIComponent(String(value)),
  ]);
  return {
    headers: { ...Object.fromEntries(headers), "content-type": "application/json" } as Record<string, string>,
    body: bytesOf(writeJson(sent.value)),
  };
}

function structured(sent: Event): string {
  return writeJson({ ...attributesOf(sent), datacontenttype: "application/json", data: sent.value });
}

function seen(read: CloudEvent): unknown {
  const { id, source, type, subject, time, extensions } = read;
  return { id, source, type, subject, time, extensions, value: dataJson(read, 64) };
}

describe("decode(encode(x)) = x, CloudEvents", () => {
  it("binary", () => {
    fc.assert(
      fc.property(event, (sent) => {
        expect(seen(binaryEvent(binary(sent)))).toEqual(sent);
      }),
    );
  });

  it("structured", () => {
    fc.assert(
      fc.property(event, (sent) => {
        expect(seen(structuredEvent(JSON.parse(structured({ ...sent, value: null })) as JsonObject))).toEqual(
          {
            ...sent,
            value: null,
          },
        );
      }),
    );
  });

  it("records in a batch, whatever their values", () => {
    const record = fc.dictionary(text, jsonValue, { maxKeys: 4 });
    fc.assert(
      fc.property(fc.array(fc.tuple(event, record), { minLength: 1, maxLength: 4 }), (sent) => {
        const events = sent.map(([one, inputs]) => structured({ ...one, type: "t", value: { inputs } }));
        const headers = { "content-type": "application/cloudevents-batch+json" };
        const items = readCaptured(
          { headers, body: bytesOf(`[${events.join(",")}]`) },
          { format: "events", model: "m", limits: { nesting: 64 } },
        );
        expect(items.map(({ captured }) => captured)).toEqual(
          sent.map(([{ id, time }, inputs]) => ({
            kind: "records",
            model: "m",
            records: [{ id, ...(time === undefined ? {} : { time }), inputs }],
          })),
        );
      }),
    );
  });
});
