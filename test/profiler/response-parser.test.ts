import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { requestBytes } from "../../profiler/generator/request-bytes.ts";
import { type ParsedResponse, ResponseParser } from "../../profiler/generator/response-parser.ts";
import { judgeOf } from "../../profiler/generator/success.ts";

/** Feeds the text in pieces cut at these places, then ends the connection. */
function parse(text: string, cuts: readonly number[] = [], method = "POST"): ParsedResponse | undefined {
  const parser = new ResponseParser(method, "keep");
  const bytes = Buffer.from(text, "latin1");
  const places = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
  for (const [i, from] of places.entries()) {
    const answer = parser.push(bytes.subarray(from, places[i + 1] ?? bytes.length));
    if (answer) return answer;
  }
  return parser.close();
}

const ANSWERS = [
  ["with a length", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, "keep", "hello"],
  ["without a body", "HTTP/1.1 204 No Content\r\n\r\n", 204, "keep", ""],
  ["of length 0", "HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n", 503, "keep", ""],
  [
    "in chunks",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n2\r\nde\r\n0\r\nT: 1\r\n\r\n",
    200,
    "keep",
    "abcde",
  ],
  [
    "after an interim one",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    200,
    "keep",
    "ok",
  ],
  ["that closes", "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok", 200, "close", "ok"],
  [
    "of HTTP/1.0 that ends with the connection",
    "HTTP/1.0 200 OK\r\nServer: x\r\n\r\nall of it",
    200,
    "close",
    "all of it",
  ],
] as const;

describe("an answer", () => {
  it.each(ANSWERS)("%s", (_, text, status, connection, body) => {
    expect(parse(text)).toEqual({ status, connection, body });
  });

  it("is the same however the bytes are cut", () => {
    fc.assert(
      fc.property(fc.constantFrom(...ANSWERS), fc.array(fc.nat(200), { maxLength: 12 }), ([, text], cuts) => {
        expect(parse(text, cuts)).toEqual(parse(text));
      }),
    );
  });

  it("to HEAD has no body whatever its length says", () => {
    expect(parse("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", [], "HEAD")?.status).toBe(200);
  });

  it.each(["SSH-2.0-OpenSSH\r\n\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"])(
    "that is not HTTP is refused: %j",
    (text) => expect(() => parse(text)).toThrow(RangeError),
  );
});

describe("what counts as good", () => {
  it.each([
    { status: 200, body: "", rule: { statuses: [[200, 299]] }, says: "ok" },
    { status: 404, body: "", rule: { statuses: [[200, 299]] }, says: "failed" },
    {
      status: 404,
      body: "",
      rule: {
        statuses: [
          [200, 299],
          [404, 404],
        ],
      },
      says: "ok",
    },
    { status: 200, body: '{"error":1}', rule: { statuses: [[200, 299]], body: '"outputs"' }, says: "failed" },
    { status: 200, body: '{"outputs":[]}', rule: { statuses: [[200, 299]], body: '"outputs"' }, says: "ok" },
  ] as const)("$status $body by $rule: $says", ({ status, body, rule, says }) => {
    expect(judgeOf(rule)({ status, body })).toBe(says);
  });
});

describe("the bytes of a request", () => {
  const target = {
    origin: "http://127.0.0.1:8080",
    method: "POST",
    path: "/score",
    headers: { "content-type": "application/json" },
    payloads: [Buffer.from('{"ü":1}')],
    success: { statuses: [[200, 299]] },
    timeoutMs: 1_000,
    connections: 1,
  } as const;

  it("hold the length in bytes, the host and the headers given", () => {
    const [bytes] = requestBytes(target);
    const [head, body] = bytes?.toString("utf8").split("\r\n\r\n") ?? [];
    expect(head?.split("\r\n")).toEqual([
      "POST /score HTTP/1.1",
      "Host: 127.0.0.1:8080",
      "User-Agent: leeway-profiler",
      "Accept: */*",
      "content-type: application/json",
      "Content-Length: 8",
    ]);
    expect(body).toBe('{"ü":1}');
  });

  it("never carry a line break from outside into the head", () => {
    expect(() => requestBytes({ ...target, path: "/a HTTP/1.1\r\nX: 1" })).toThrow(/line break/);
  });
});
