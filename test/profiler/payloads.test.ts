import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readPayloads } from "../../profiler/payloads.ts";
import { splitCsv } from "../../profiler/split-csv.ts";

const read = (text: string, name: string, rows: Parameters<typeof readPayloads>[2] = "object") => {
  const { bodies, contentType } = readPayloads(Buffer.from(text), name, rows);
  return { bodies: bodies.map((body) => Buffer.from(body).toString()), contentType };
};

describe("bodies of requests", () => {
  it.each([
    ["a line each", "a.ndjson", '{"a":1}\n\n{"a":2}\n', ['{"a":1}', '{"a":2}']],
    ["an element each", "a.json", '[{"a":1}, [2]]', ['{"a":1}', "[2]"]],
    ["the document when it is no array", "a.json", '{ "a": 1 }', ['{"a":1}']],
    [
      "a row each",
      "a.csv",
      'x,name,on,gone\n1.5,"a, ""b""",true,\n',
      ['{"x":1.5,"name":"a, \\"b\\"","on":true,"gone":null}'],
    ],
  ])("%s", (_, name, text, bodies) =>
    expect(read(text, name)).toEqual({ bodies, contentType: "application/json" }),
  );

  it.each([
    ["instances", '{"instances":[{"x":1}]}'],
    ["dataframe_records", '{"dataframe_records":[{"x":1}]}'],
    ["list", "[1]"],
  ] as const)("a row as %s", (form, body) => expect(read("x\n1\n", "a.csv", form).bodies).toEqual([body]));

  it("a file of another kind is one body as it is", () => {
    const bytes = Uint8Array.from([0, 255, 1]);
    const payloads = readPayloads(bytes, "image.png", "object");
    expect(payloads).toEqual({ bodies: [bytes], contentType: "application/octet-stream" });
  });

  it.each([
    ["a line that is not JSON is named", "a.ndjson", "{}\n{", /a.ndjson line 2/],
    ["a document that is not JSON", "a.json", "{", /not JSON/],
    ["a row of another length is named", "a.csv", "x,y\n1,2\n3\n", /row 2 has 1 fields/],
    ["nothing in it", "a.csv", "x,y\n", /holds no bodies/],
  ])("%s", (_, name, text, message) => expect(() => read(text, name)).toThrow(message));
});

it("fields written as CSV are read back", () => {
  const field = fc.string({ maxLength: 8 }).map((text) => text.replaceAll("\r", ""));
  fc.assert(
    fc.property(
      fc.array(fc.array(field, { minLength: 2, maxLength: 4 }), { minLength: 1, maxLength: 6 }),
      (rows) => {
        const text = rows
          .map((row) => row.map((value) => `"${value.replaceAll('"', '""')}"`).join(","))
          .join("\n");
        expect(splitCsv(text)).toEqual(rows);
      },
    ),
  );
});
