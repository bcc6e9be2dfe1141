import type { IncomingMessage, ServerResponse } from "node:http";
import { STATUS_CODES } from "node:http";
import type { AnswerHead } from "./answer-parser.ts";
import { endToEnd } from "./hop-by-hop.ts";
import type { Recording } from "./recorder.ts";
import { requestHead } from "./request-head.ts";
import type { CallOnWire, Connection, Upstream } from "./upstream.ts";

/** What nginx notes for a caller who did not wait for the answer. */
const CALLER_WENT = 499;
const STALE: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"]);
/** A kept connection that had been closed says so at once; one that ends later may have begun to work on the call. */
const STALE_WITHIN_MS = 1_000;
/** Up to here head and body are copied into one piece: a second write costs more. */
const MOST_COPIED_BYTES = 16 * 1024;

export interface PassageContext {
  readonly upstream: Upstream;
  readonly recording: Recording | undefined;
  readonly answerIdHeader: string | undefined;
  /** A proxy that is closing asks the callers to take another connection next time. */
  readonly state: () => "open" | "closing";
  readonly onRetry: () => void;
  /** Told once, with the status that the caller got. */
  readonly onEnd: (status: number) => void;
}

/** The passage that a message belongs to: listeners are shared, since making a dozen for every call is what costs. */
const PASSAGE = Symbol("passage");

interface Carrier {
  [PASSAGE]?: Passage;
}

/**
 * One call on its way through: request to the service, answer to the caller, byte by byte as they come, at the pace of
 * the slower side. What is recorded is looked at in passing.
 */
export class Passage implements CallOnWire {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #context: PassageContext;
  readonly #startedMs = performance.now();
  readonly #head: string;
  readonly #framing: "none" | "length" | "chunked";
  /** Absent when it has been given back, or is broken. */
  #connection: Connection | undefined;
  #asked: "nothing" | "head" | "all" = "nothing";
  #answer: AnswerHead | undefined;
  #flow: "running" | "held" = "running";
  #state: "asking" | "answering" | "ended" = "asking";

  constructor(request: IncomingMessage, response: ServerResponse, context: PassageContext) {
    this.#request = request;
    this.#response = response;
    this.#context = context;
    const { head, framing } = requestHead(request, context.upstream);
    this.#head = head;
    this.#framing = framing;
    (request as Carrier)[PASSAGE] = this;
    (response as Carrier)[PASSAGE] = this;
    response.sendDate = false;
    response.on("close", onCallerClose);
    this.#connection = context.upstream.connect(this, request.method, "any");
    if (framing === "none") {
      this.#sendHead();
      this.#asked = "all";
    } else {
      request.on("data", onRequestData);
      request.on("end", onRequestEnd);
      // A body that has come with the head is told before this: the two then go out as one piece.
      process.nextTick(sendHeadOf, this);
    }
  }

  /** Sends the head when nothing of the body has come yet. */
  sendHeadNow(): void {
    if (this.#asked === "nothing") this.#sendHead();
  }

  #sendHead(): void {
    this.#asked = "head";
    this.#connection?.writeText(this.#head);
  }

  requestData(chunk: Buffer): void {
    this.#context.recording?.request.add(chunk);
    if (this.#connection && !this.#send(this.#connection, chunk)) this.#request.pause();
  }

  #send(connection: Connection, chunk: Buffer): boolean {
    if (this.#framing === "chunked") {
      this.sendHeadNow();
      connection.writeText(`${chunk.length.toString(16)}\r\n`);
      connection.write(chunk);
      return connection.writeText("\r\n");
    }
    if (this.#asked === "nothing" && chunk.length <= MOST_COPIED_BYTES) {
      this.#asked = "head";
      return connection.write(joined(this.#head, chunk));
    }
    this.sendHeadNow();
    return connection.write(chunk);
  }

  serviceDrained(): void {
    this.#request.resume();
  }

  requestEnded(): void {
    const connection = this.#connection;
    if (!connection) return;
    this.sendHeadNow();
    this.#asked = "all";
    if (this.#framing === "chunked")
      connection.writeText(`0\r\n${fieldLines(this.#request.rawTrailers)}\r\n`);
    if (this.#state === "ended") this.#release();
  }

  informed({ status }: AnswerHead): void {
    if (status === 100)
      this.#response.writeContinue(); // Node ends the connection of a caller who waits for it in vain
    else if (status === 102) this.#response.writeProcessing();
  }

  answered(answer: AnswerHead): void {
    this.#answer = answer;
    this.#state = "answering";
    const { status, message } = answer;
    const headers = endToEnd(answer.rawHeaders, answer.headers.connection);
    if (this.#request.httpVersionMinor === 0) dropFraming(headers);
    const id = this.#context.recording?.answered(status);
    if (id !== undefined && this.#context.answerIdHeader !== undefined)
      headers.push(this.#context.answerIdHeader, id);
    if (this.#context.state() === "closing") this.#response.shouldKeepAlive = false;
    try {
      this.#response.writeHead(status, message, headers);
    } catch (error) {
      this.#break();
      this.#fail(`its answer cannot be passed on: ${(error as Error).message}`);
    }
  }

  answerData(chunk: Buffer, part: "more" | "last"): void {
    if (this.#state !== "answering") return;
    this.#context.recording?.response.add(chunk);
    if (part === "last") {
      // As text (Latin-1 is every byte as it is) it goes out in one piece with the head.
      if (chunk.length <= MOST_COPIED_BYTES) this.#response.end(chunk.toString("latin1"), "latin1");
      else this.#response.end(chunk);
      this.#answerEnded();
    } else if (!this.#response.write(chunk) && this.#flow === "running") {
      this.#flow = "held";
      this.#connection?.pause();
      this.#response.once("drain", onCallerDrain);
    }
  }

  callerDrained(): void {
    this.#flow = "running";
    this.#connection?.resume();
  }

  answerEnded(trailers: readonly string[]): void {
    if (this.#state !== "answering") return;
    if (trailers.length > 0) this.#response.addTrailers(pairs(trailers));
    this.#response.end();
    this.#answerEnded();
  }

  #answerEnded(): void {
    const { status } = this.#answer as AnswerHead; // it is the one that ended
    this.#end(status);
    // A service may answer before it has read all, and read on: whether it does, its own connection tells.
    if (this.#asked === "all") this.#release();
  }

  serviceFailed(error: NodeJS.ErrnoException): void {
    const stale = this.#connection?.stale ?? false;
    this.#connection = undefined;
    if (this.#state === "ended") {
      this.#request.resume(); // the service stopped listening to the rest of the request, and that is all
    } else if (this.#state === "answering") {
      this.#context.recording?.response.giveUp("cut-off");
      this.#end(502);
      this.#response.destroy(); // the caller sees the answer end early, as it did
    } else if (stale && this.#mayAskAgain(error)) {
      this.#askAgain();
    } else {
      this.#fail(error.code ?? error.message);
    }
  }

  /** A kept connection that the service had closed says nothing about this call, if all that was sent is still there to be sent again. */
  #mayAskAgain(error: NodeJS.ErrnoException): boolean {
    if (!STALE.has(error.code ?? "") || performance.now() - this.#startedMs > STALE_WITHIN_MS) return false;
    return this.#framing === "none" || this.#context.recording?.request.state === "whole";
  }

  #askAgain(): void {
    this.#context.onRetry();
    const asked = this.#asked;
    this.#asked = "nothing";
    const connection = this.#context.upstream.connect(this, this.#request.method, "fresh");
    this.#connection = connection;
    this.#sendHead();
    for (const chunk of this.#context.recording?.request.chunks ?? []) this.#send(connection, chunk);
    if (asked !== "all") this.#request.resume();
    else if (this.#framing === "none") this.#asked = "all";
    else this.requestEnded();
  }

  #fail(why: string): void {
    const body = JSON.stringify({
      type: "about:blank",
      title: STATUS_CODES[502],
      status: 502,
      detail: `the scoring service behind this sidecar did not answer: ${why}`,
      code: "upstream-failed",
    });
    this.#context.recording?.answered(502);
    this.#end(502);
    if (this.#response.headersSent || this.#response.destroyed) {
      this.#response.destroy();
      return;
    }
    const headers = [
      "Content-Type",
      "application/problem+json",
      "Content-Length",
      String(Buffer.byteLength(body)),
    ];
    // The rest of a request that nobody reads would stand before the next one.
    if (!this.#request.complete) headers.push("Connection", "close");
    this.#response.writeHead(502, headers).end(body);
    this.#request.resume();
  }

  callerClosed(): void {
    this.#break(); // a call that went well has given its connection back
    if (this.#state === "ended") return;
    this.#context.recording?.response.giveUp("cut-off");
    this.#end(CALLER_WENT);
  }

  #end(status: number): void {
    this.#state = "ended";
    this.#context.recording?.end(status, this.#answer?.headers ?? {});
    this.#context.onEnd(status);
  }

  #release(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.release();
  }

  #break(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.destroy();
  }
}

function sendHeadOf(passage: Passage): void {
  passage.sendHeadNow();
}
function onRequestData(this: Carrier, chunk: Buffer): void {
  this[PASSAGE]?.requestData(chunk);
}
function onRequestEnd(this: Carrier): void {
  this[PASSAGE]?.requestEnded();
}
function onCallerDrain(this: Carrier): void {
  this[PASSAGE]?.callerDrained();
}
function onCallerClose(this: Carrier): void {
  this[PASSAGE]?.callerClosed();
}

function joined(head: string, chunk: Buffer): Buffer {
  const whole = Buffer.allocUnsafe(head.length + chunk.length);
  whole.write(head, "latin1");
  chunk.copy(whole, head.length);
  return whole;
}

function fieldLines(raw: readonly string[]): string {
  let lines = "";
  for (let i = 0; i + 1 < raw.length; i += 2) lines += `${raw[i]}: ${raw[i + 1]}\r\n`;
  return lines;
}

/** Who speaks HTTP/1.0 knows no chunks: the end of the connection is the end of the answer. */
function dropFraming(headers: string[]): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    if (headers[i]?.toLowerCase() === "transfer-encoding") headers.splice(i, 2);
  }
}

function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1] ?? ""] as [string, string]] : []));
}
