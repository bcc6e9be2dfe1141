/** The head of an answer as the service sent it. */
export interface AnswerHead {
  readonly status: number;
  readonly message: string;
  /** `[name, value, name, value, …]` in the order and case in which they came. */
  readonly rawHeaders: readonly string[];
  /** The fields that are looked at here, by name in lower case. */
  readonly headers: AnswerFields;
}

export interface AnswerFields {
  readonly connection?: string;
  readonly "content-type"?: string;
  readonly "content-encoding"?: string;
  readonly "inference-header-content-length"?: string;
}

/** Is told what was read, at once and in order. */
export interface AnswerReader {
  /** A 1xx: the answer itself is still to come. */
  informed(head: AnswerHead): void;
  answered(head: AnswerHead): void;
  /** `last`: the body ends with it, and the answer too. */
  answerData(chunk: Buffer, part: "more" | "last"): void;
  /** Not told after the last part. */
  answerEnded(trailers: readonly string[]): void;
}

/** The service does not speak HTTP/1.1. The message says where. */
export class MalformedAnswer extends Error {
  override readonly name = "MalformedAnswer";
}

const MOST_HEAD_BYTES = 64 * 1024;
const HEAD_END = Buffer.from("\r\n\r\n");
const LINE_END = Buffer.from("\r\n");
const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9]\d\d)(?: (.*))?$/;
const LOOKED_AT: ReadonlySet<string> = new Set([
  "connection",
  "content-type",
  "content-encoding",
  "inference-header-content-length",
]);

type State = "head" | "length" | "until-close" | "chunk-size" | "chunk" | "chunk-end" | "trailers" | "done";

interface Framed extends AnswerHead {
  readonly minor: string | undefined;
  readonly length: number | undefined;
  readonly coding: string | undefined;
}

/**
 * Reads the answers of one connection (RFC 9112). Node's own client would do, at three times the cost: the sidecar has to
 * be cheap beside a service that answers in a fraction of a millisecond.
 *
 * @see RFC 9112 §6.3 on where a body ends.
 */
export class AnswerParser {
  #reader: AnswerReader | undefined;
  #method: string | undefined;
  #state: State = "done";
  #left = 0;
  #kept: Buffer | undefined;
  #reuse: "yes" | "no" = "yes";

  /** Whether the connection may carry another call when this answer has ended. */
  get reuse(): "yes" | "no" {
    return this.#state === "done" ? this.#reuse : "no";
  }

  /** To be called before each request: what an answer's length is depends on the method. */
  begin(method: string | undefined, reader: AnswerReader): void {
    this.#method = method;
    this.#reader = reader;
    this.#state = "head";
  }

  /** @throws MalformedAnswer */
  push(received: Buffer): void {
    const data = this.#kept ? Buffer.concat([this.#kept, received]) : received;
    this.#kept = undefined;
    let at = 0;
    while (at < data.length) {
      const next = this.#step(data, at);
      if (next === undefined) return;
      at = next;
    }
  }

  /** To be called when the service has ended the connection. @returns Whether the answer is whole. */
  close(): "whole" | "cut-off" {
    if (this.#state === "until-close") this.#end([]);
    return this.#state === "done" ? "whole" : "cut-off";
  }

  /** Reads on from there. @returns How far it came; undefined when it needs more than there is. */
  #step(data: Buffer, at: number): number | undefined {
    switch (this.#state) {
      case "head":
        return this.#head(data, at);
      case "length":
        return this.#body(data, at);
      case "until-close":
        this.#reader?.answerData(at === 0 ? data : data.subarray(at), "more");
        return data.length;
      case "chunk-size":
        return this.#chunkSize(data, at);
      case "chunk":
        return this.#chunk(data, at);
      case "chunk-end":
        if (data.length - at < LINE_END.length) return this.#keep(data, at);
        if (data[at] !== 0x0d || data[at + 1] !== 0x0a)
          throw new MalformedAnswer("a chunk is longer than it said");
        this.#state = "chunk-size";
        return at + LINE_END.length;
      case "trailers":
        return this.#trailers(data, at);
      case "done":
        throw new MalformedAnswer("there is more after the answer");
    }
  }

  #head(data: Buffer, at: number): number | undefined {
    const end = data.indexOf(HEAD_END, at);
    if (end === -1) {
      if (data.includes("\n\n", at)) throw new MalformedAnswer("its lines do not end as HTTP lines do");
      return this.#keep(data, at);
    }
    if (end - at > MOST_HEAD_BYTES) throw tooLong();
    const head = readHead(data.toString("latin1", at, end));
    const after = end + HEAD_END.length;
    if (head.status === 101)
      throw new MalformedAnswer("it changes to another protocol, which nobody asked for");
    if (head.status < 200) this.#reader?.informed(head);
    else this.#frame(head);
    return after;
  }

  #frame(head: Framed): void {
    const { status, length, coding } = head;
    const close = /\bclose\b/i.test(head.headers.connection ?? "");
    const keep = head.minor === "1" || /\bkeep-alive\b/i.test(head.headers.connection ?? "");
    this.#reuse = close || !keep ? "no" : "yes";
    if (this.#method === "HEAD" || status === 204 || status === 304) this.#state = "done";
    else if (coding !== undefined)
      this.#state = /(?:^|,)\s*chunked\s*$/i.test(coding) ? "chunk-size" : "until-close";
    else if (length === undefined) this.#state = "until-close";
    else this.#state = length === 0 ? "done" : "length";
    this.#left = length ?? 0;
    if (this.#state === "until-close") this.#reuse = "no";
    const reader = this.#reader;
    reader?.answered(head);
    if (this.#state === "done") reader?.answerEnded([]);
  }

  #body(data: Buffer, at: number): number {
    const end = Math.min(data.length, at + this.#left);
    this.#left -= end - at;
    const chunk = at === 0 && end === data.length ? data : data.subarray(at, end);
    if (this.#left === 0) this.#state = "done";
    this.#reader?.answerData(chunk, this.#left === 0 ? "last" : "more");
    return end;
  }

  #chunkSize(data: Buffer, at: number): number | undefined {
    const end = data.indexOf(LINE_END, at);
    if (end === -1) return this.#keep(data, at);
    const size = /^([0-9a-f]{1,12})[ \t]*(?:;.*)?$/is.exec(data.toString("latin1", at, end))?.[1];
    if (size === undefined) throw new MalformedAnswer("a chunk does not say its size");
    this.#left = Number.parseInt(size, 16);
    this.#state = this.#left === 0 ? "trailers" : "chunk";
    return end + LINE_END.length;
  }

  #chunk(data: Buffer, at: number): number {
    const end = Math.min(data.length, at + this.#left);
    this.#left -= end - at;
    if (this.#left === 0) this.#state = "chunk-end";
    this.#reader?.answerData(data.subarray(at, end), "more");
    return end;
  }

  #trailers(data: Buffer, at: number): number | undefined {
    if (data[at] === 0x0d && data[at + 1] === 0x0a) {
      this.#end([]);
      return at + LINE_END.length;
    }
    const end = data.indexOf(HEAD_END, at);
    if (end === -1) return this.#keep(data, at);
    this.#end(readFields(data.toString("latin1", at, end).split("\r\n"), 0));
    return end + HEAD_END.length;
  }

  #end(trailers: readonly string[]): void {
    this.#state = "done";
    this.#reader?.answerEnded(trailers);
  }

  #keep(data: Buffer, at: number): undefined {
    if (data.length - at > MOST_HEAD_BYTES) throw tooLong();
    this.#kept = data.subarray(at);
    return undefined;
  }
}

function readHead(text: string): Framed {
  const lines = text.split("\r\n");
  const [, minor, status, message = ""] = STATUS_LINE.exec(lines[0] as string) ?? []; // a split has a first
  if (status === undefined) throw new MalformedAnswer("it does not begin as an HTTP/1.1 answer does");
  const rawHeaders = readFields(lines, 1);
  const headers: Record<string, string> = {};
  let length: number | undefined;
  let coding: string | undefined;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = (rawHeaders[i] as string).toLowerCase(); // names and values come in pairs
    const value = rawHeaders[i + 1] as string;
    if (name === "content-length") length = sameLength(length, value);
    else if (name === "transfer-encoding") coding = coding === undefined ? value : `${coding}, ${value}`;
    else if (LOOKED_AT.has(name))
      headers[name] = headers[name] === undefined ? value : `${headers[name]}, ${value}`;
  }
  // A length beside a coding is none, and passed on it would mislead the next reader.
  const passed =
    coding === undefined || length === undefined ? rawHeaders : without(rawHeaders, "content-length");
  return { status: Number(status), message, rawHeaders: passed, headers, minor, length, coding };
}

function readFields(lines: readonly string[], from: number): string[] {
  const fields: string[] = [];
  for (let i = from; i < lines.length; i += 1) {
    const line = lines[i] as string; // i is below the length
    const first = line.charCodeAt(0);
    if ((first === 0x20 || first === 0x09) && fields.length > 0) {
      fields[fields.length - 1] += ` ${line.trim()}`; // a folded line, which is obsolete and still allowed
      continue;
    }
    const colon = line.indexOf(":");
    if (colon < 1) throw new MalformedAnswer("a line of its head is no field");
    fields.push(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  return fields;
}

function sameLength(before: number | undefined, text: string): number {
  const length = /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  if (length === undefined || (before !== undefined && before !== length))
    throw new MalformedAnswer("its content-length is no length");
  return length;
}

function without(fields: readonly string[], name: string): string[] {
  return fields.flatMap((field, i) =>
    i % 2 === 0 && field.toLowerCase() !== name ? [field, fields[i + 1] as string] : [],
  );
}

function tooLong(): MalformedAnswer {
  return new MalformedAnswer(`its head is longer than ${MOST_HEAD_BYTES} bytes`);
}
