import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AnswerHead, AnswerParser, MalformedAnswer } from "../../../collector/sidecar/answer-parser.ts";

interface Read {
  readonly informed: number[];
  head: AnswerHead | undefined;
  body: string;
  trailers: readonly string[] | undefined;
  close: "whole" | "cut-off";
  reuse: "yes" | "no";
}

/** Reads an answer that comes in these pieces, and the end of the connection after it. */
function read(pieces: readonly string[], method = "POST"): Read {
  const parser = new AnswerParser();
  const informed: number[] = [];
  const got: Read = {
    informed,
    head: undefined,
    body: "",
    trailers: undefined,
    close: "cut-off",
    reuse: "no",
  };
  parser.begin(method, {
    informed: ({ status }) => informed.push(status),
    answered: (head) => {
      got.head = head;
    },
    answerData: (chunk, part) => {
      got.body += chunk.toString("latin1");
      if (part === "last") got.trailers = [];
    },
    answerEnded: (trailers) => {
      got.trailers = trailers;
    },
  });
  for (const piece of pieces) parser.push(Buffer.from(piece, "latin1"));
  got.reuse = parser.reuse;
  got.close = parser.close();
  return got;
}

const answer = (...lines: readonly string[]) => lines.join("\r\n");

describe("reading an answer", () => {
  it.each([
    {
      of: "a length",
      text: answer("HTTP/1.1 200 OK", "Content-Length: 5", "", "hello"),
      is: { body: "hello", reuse: "yes", close: "whole" },
    },
    {
      of: "chunks, extensions and trailers",
      text: answer(
        "HTTP/1.1 200 OK",
        "Transfer-Encoding: chunked",
        "",
        "5;x=1",
        "hello",
        "1 ",
        "!",
        "0",
        "Sum: 7",
        "",
        "",
      ),
      is: { body: "hello!", trailers: ["Sum", "7"], reuse: "yes" },
    },
    {
      of: "neither: the end of the connection ends it",
      text: answer("HTTP/1.1 200 OK", "", "all of it"),
      is: { body: "all of it", reuse: "no", close: "whole" },
    },
    {
      of: "no content",
      text: answer("HTTP/1.1 204 No Content", "", ""),
      is: { body: "", reuse: "yes", trailers: [] },
    },
    {
      of: "not modified, with the length it would have",
      text: answer("HTTP/1.1 304 Not Modified", "Content-Length: 10", "", ""),
      is: { body: "", reuse: "yes", trailers: [] },
    },
    {
      of: "HEAD",
      method: "HEAD",
      text: answer("HTTP/1.1 200 OK", "Content-Length: 10", "", ""),
      is: { body: "", reuse: "yes", trailers: [] },
    },
    {
      of: "news before the answer",
      text: answer(
        "HTTP/1.1 100 Continue",
        "",
        "HTTP/1.1 103 Early Hints",
        "Link: </x>",
        "",
        "HTTP/1.1 200 OK",
        "Content-Length: 0",
        "",
        "",
      ),
      is: { informed: [100, 103], body: "", reuse: "yes", trailers: [] },
    },
    {
      of: "an answer that ends its connection",
      text: answer("HTTP/1.1 200 OK", "Connection: close", "Content-Length: 1", "", "x"),
      is: { body: "x", reuse: "no" },
    },
    {
      of: "HTTP/1.0, which keeps no connection by itself",
      text: answer("HTTP/1.0 200 OK", "Content-Length: 1", "", "x"),
      is: { body: "x", reuse: "no" },
    },
    {
      of: "HTTP/1.0 that says it keeps it",
      text: answer("HTTP/1.0 200 OK", "Connection: keep-alive", "Content-Length: 1", "", "x"),
      is: { body: "x", reuse: "yes" },
    },
    {
      of: "a body that ended early",
      text: answer("HTTP/1.1 200 OK", "Content-Length: 10", "", "half"),
      is: { body: "half", close: "cut-off", reuse: "no", trailers: undefined },
    },
    {
      of: "chunks that ended early",
      text: answer("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "", "5", "hello", ""),
      is: { body: "hello", close: "cut-off", reuse: "no", trailers: undefined },
    },
    {
      of: "a status line without words",
      text: answer("HTTP/1.1 200", "Content-Length: 0", "", ""),
      is: { body: "", reuse: "yes", trailers: [] },
    },
  ])("by $of", ({ text, is, method }) => {
    expect(read([text], method)).toMatchObject(is);
  });

  it("keeps order, case and repeats of the fields, and joins a folded line", () => {
    const text = answer(
      "HTTP/1.1 200 Fine by me",
      "X-b: 1",
      "x-B:2",
      "Set-Cookie:  a ",
      "X-f: one",
      "  two",
      "Content-Length: 0",
      "",
      "",
    );
    const { head } = read([text]);
    expect(head?.message).toBe("Fine by me");
    expect(head?.rawHeaders).toEqual([
      "X-b",
      "1",
      "x-B",
      "2",
      "Set-Cookie",
      "a",
      "X-f",
      "one two",
      "Content-Length",
      "0",
    ]);
  });

  it("lets chunks go before a length, which is then not passed on", () => {
    const text = answer(
      "HTTP/1.1 200 OK",
      "Content-Length: 3",
      "Transfer-Encoding: chunked",
      "",
      "5",
      "hello",
      "0",
      "",
      "",
    );
    const { head, body } = read([text]);
    expect(body).toBe("hello");
    expect(head?.rawHeaders).toEqual(["Transfer-Encoding", "chunked"]);
  });

  it("does not depend on how the bytes come in pieces", () => {
    const body = fc.string({ unit: "binary-ascii", maxLength: 200 });
    const framed = fc.record({
      body,
      chunks: fc.array(fc.integer({ min: 1, max: 40 }), { maxLength: 6 }),
      how: fc.constantFrom("length", "chunked", "close"),
    });
    fc.assert(
      fc.property(
        framed,
        fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1 }),
        ({ body: text, chunks, how }, cuts) => {
          const wire = wireOf(text, chunks, how);
          const whole = read([wire]);
          expect(whole.body).toBe(text);
          expect(whole.close).toBe("whole");
          expect(read(piecesOf(wire, cuts))).toEqual(whole);
        },
      ),
      { numRuns: 500 },
    );
  });

  it.each([
    ["another protocol", "SSH-2.0-OpenSSH_9.6\r\n\r\n"],
    ["HTTP/2", "HTTP/2 200 OK\r\n\r\n"],
    ["a status of two digits", "HTTP/1.1 20 OK\r\n\r\n"],
    ["a line without a colon", answer("HTTP/1.1 200 OK", "nonsense", "", "")],
    ["a field without a name", answer("HTTP/1.1 200 OK", ": x", "", "")],
    ["a length that is none", answer("HTTP/1.1 200 OK", "Content-Length: -1", "", "")],
    ["lengths that differ", answer("HTTP/1.1 200 OK", "Content-Length: 1", "Content-Length: 2", "", "")],
    ["a chunk without a size", answer("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "", "five", "hello")],
    [
      "a chunk longer than it said",
      answer("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "", "1", "hello"),
    ],
    ["more than the answer", answer("HTTP/1.1 200 OK", "Content-Length: 1", "", "xHTTP/1.1 200 OK")],
    ["a switch of protocols", answer("HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "", "")],
    ["lines that end in another way", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"],
    ["a head without end", `HTTP/1.1 200 OK\r\nX: ${"x".repeat(70_000)}`],
  ])("refuses %s", (_, text) => {
    expect(() => read([text])).toThrow(MalformedAnswer);
  });

  it("takes any bytes without another error than that it is malformed", () => {
    const start = fc.constantFrom(
      "",
      "HTTP/1.1 200 OK\r\n",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    const bytes = fc.string({
      unit: fc.constantFrom("\r", "\n", "0", "5", ":", ";", " ", "a", "\u00ff"),
      maxLength: 60,
    });
    fc.assert(
      fc.property(start, bytes, (head, rest) => {
        try {
          read([head + rest]);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedAnswer);
        }
      }),
      { numRuns: 2_000 },
    );
  });
});

function wireOf(text: string, chunks: readonly number[], how: string): string {
  if (how === "close") return `HTTP/1.1 200 OK\r\n\r\n${text}`;
  if (how === "length") return `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n${text}`;
  let wire = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const piece of text === "" ? [] : piecesOf(text, chunks.length === 0 ? [1_000] : chunks))
    wire += `${piece.length.toString(16)}\r\n${piece}\r\n`;
  return `${wire}0\r\nX-Sum: 1\r\n\r\n`;
}

function piecesOf(text: string, sizes: readonly number[]): string[] {
  const pieces: string[] = [];
  for (let at = 0, i = 0; at < text.length; i += 1) {
    const size = sizes[i % sizes.length] as number; // there is at least one
    pieces.push(text.slice(at, at + size));
    at += size;
  }
  return pieces;
}
