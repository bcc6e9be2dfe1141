/** One answer that has come in whole. */
export interface ParsedResponse {
  readonly status: number;
  /** Whether the connection can carry another request. */
  readonly connection: "keep" | "close";
  /** The body as text; only when bodies are kept. */
  readonly body: string;
}

/** How much of a body is kept for the success rule. */
const MOST_BODY = 1024 * 1024;
const MOST_HEAD = 64 * 1024;

type State = "head" | "length" | "chunk-size" | "chunk" | "trailer" | "until-close";

/**
 * Reads HTTP/1.x answers from a connection that has one request under way at a time. Knows status, Content-Length,
 * chunked bodies, `Connection: close`, interim answers (1xx), and bodies that end with the connection.
 */
export class ResponseParser {
  readonly #keepBodies: "keep" | "skip";
  readonly #method: string;
  #state: State = "head";
  #pending = "";
  #left = 0;
  #status = 0;
  #connection: "keep" | "close" = "keep";
  #body = "";

  constructor(method: string, bodies: "keep" | "skip") {
    this.#method = method;
    this.#keepBodies = bodies;
  }

  /**
   * Takes the next bytes. @returns the answer when they complete it.
   * @throws RangeError when they are not HTTP.
   */
  push(bytes: Buffer): ParsedResponse | undefined {
    let at = 0;
    while (at < bytes.length || this.#isComplete()) {
      if (this.#isComplete()) return this.#finish();
      switch (this.#state) {
        case "length":
        case "chunk":
        case "until-close": {
          const to = this.#state === "until-close" ? bytes.length : Math.min(bytes.length, at + this.#left);
          this.#keep(bytes.subarray(at, to));
          this.#left -= to - at;
          at = to;
          if (this.#state === "chunk" && this.#left === 0) this.#state = "chunk-size";
          break;
        }
        default: {
          const line = this.#state === "head" ? "\r\n\r\n" : "\r\n";
          const before = this.#pending.length;
          this.#pending += bytes.toString("latin1", at);
          const end = this.#pending.indexOf(line);
          if (end < 0) {
            if (this.#pending.length > MOST_HEAD) throw new RangeError("the answer's head is too long");
            return undefined;
          }
          const text = this.#pending.slice(0, end);
          at += end + line.length - before;
          this.#pending = "";
          this.#take(text);
        }
      }
    }
    return undefined;
  }

  /** The connection has ended. @returns the answer when its end was what completed it. */
  close(): ParsedResponse | undefined {
    return this.#state === "until-close" ? this.#finish() : undefined;
  }

  #take(text: string): void {
    if (this.#state === "head") this.#takeHead(text);
    else if (this.#state === "trailer") {
      if (text === "") this.#left = -1;
    } else if (text !== "") {
      const size = Number.parseInt(text, 16);
      if (!(size >= 0)) throw new RangeError(`not the size of a chunk: ${text.slice(0, 20)}`);
      this.#left = size;
      this.#state = size === 0 ? "trailer" : "chunk";
    }
  }

  #takeHead(text: string): void {
    const match = /^HTTP\/1\.([01]) (\d{3})/.exec(text);
    if (!match) throw new RangeError(`not an HTTP/1 answer: ${text.slice(0, 40)}`);
    this.#status = Number(match[2]);
    if (this.#status >= 100 && this.#status < 200 && this.#status !== 101) return; // the real one follows
    const header = (name: string) =>
      new RegExp(`^${name}:[ \\t]*(.*?)[ \\t]*$`, "im").exec(text)?.[1]?.toLowerCase();
    const connection = header("connection") ?? "";
    this.#connection =
      connection.includes("close") || (match[1] === "0" && !connection.includes("keep-alive"))
        ? "close"
        : "keep";
    const length = header("content-length");
    if (this.#method === "HEAD" || this.#status === 204 || this.#status === 304) {
      this.#state = "length";
      this.#left = 0;
    } else if (header("transfer-encoding")?.includes("chunked")) {
      this.#state = "chunk-size";
      this.#left = 0;
    } else if (length !== undefined) {
      this.#state = "length";
      this.#left = Number(length);
      if (!(this.#left >= 0)) throw new RangeError(`not a length: ${length.slice(0, 20)}`);
    } else {
      this.#state = "until-close";
      this.#connection = "close";
    }
  }

  #isComplete(): boolean {
    return (this.#state === "length" && this.#left === 0) || (this.#state === "trailer" && this.#left < 0);
  }

  #keep(bytes: Buffer): void {
    if (this.#keepBodies === "keep" && this.#body.length < MOST_BODY) this.#body += bytes.toString("utf8");
  }

  #finish(): ParsedResponse {
    const response = { status: this.#status, connection: this.#connection, body: this.#body };
    this.#state = "head";
    this.#body = "";
    this.#left = 0;
    return response;
  }
}
