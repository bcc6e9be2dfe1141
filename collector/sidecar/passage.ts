import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http";
import { STATUS_CODES } from "node:http";
import { endToEnd } from "./hop-by-hop.ts";
import type { Recording } from "./recorder.ts";
import type { Upstream } from "./upstream.ts";

/** What nginx notes for a caller who did not wait for the answer. */
const CALLER_WENT = 499;
const STALE: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE"]);

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
export class Passage {
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #context: PassageContext;
  readonly #headers: string[];
  #outgoing: ClientRequest;
  #answer: IncomingMessage | undefined;
  #continued: "no" | "yes" = "no";
  #state: "asking" | "answering" | "ended" = "asking";

  constructor(request: IncomingMessage, response: ServerResponse, context: PassageContext) {
    this.#request = request;
    this.#response = response;
    this.#context = context;
    this.#headers = headersForService(request);
    (request as Carrier)[PASSAGE] = this;
    (response as Carrier)[PASSAGE] = this;
    response.sendDate = false;
    response.on("close", onCallerClose);
    this.#outgoing = this.#ask("any");
    request.on("data", onRequestData);
    request.on("end", onRequestEnd);
  }

  #ask(connection: "any" | "new"): ClientRequest {
    const { method, url = "/" } = this.#request;
    const outgoing = this.#context.upstream.request({ method, url, headers: this.#headers, connection });
    (outgoing as Carrier)[PASSAGE] = this;
    outgoing.on("response", onAnswer);
    outgoing.on("error", onServiceError);
    outgoing.on("drain", onServiceDrain);
    if (this.#request.headers.expect !== undefined) outgoing.on("continue", onContinue);
    return outgoing;
  }

  requestData(chunk: Buffer): void {
    this.#context.recording?.request.add(chunk);
    if (!this.#outgoing.destroyed && !this.#outgoing.write(chunk)) this.#request.pause();
  }

  serviceDrained(): void {
    this.#request.resume();
  }

  requestEnded(): void {
    if (this.#outgoing.destroyed) return;
    const trailers = this.#request.rawTrailers;
    if (trailers.length > 0) this.#outgoing.addTrailers(pairs(trailers));
    this.#outgoing.end();
  }

  goAhead(): void {
    this.#continued = "yes";
    this.#response.writeContinue();
  }

  answered(answer: IncomingMessage): void {
    this.#answer = answer;
    (answer as Carrier)[PASSAGE] = this;
    this.#state = "answering";
    const status = answer.statusCode as number; // an answer has one
    const headers = endToEnd(answer.rawHeaders, answer.headers.connection);
    if (this.#request.httpVersionMinor === 0) dropFraming(headers);
    const id = this.#context.recording?.answered(status);
    if (id !== undefined && this.#context.answerIdHeader !== undefined)
      headers.push(this.#context.answerIdHeader, id);
    // Without the go-ahead the caller may or may not send the body that it announced: this connection has no next request.
    if (this.#request.headers.expect !== undefined && this.#continued === "no")
      headers.push("Connection", "close");
    if (!this.#writeHead(status, answer.statusMessage, headers)) return;
    answer.on("data", onAnswerData);
    answer.on("end", onAnswerEnd);
    answer.on("error", onServiceError);
    this.#response.on("drain", onCallerDrain);
  }

  #writeHead(status: number, message: string | undefined, headers: string[]): boolean {
    if (this.#context.state() === "closing") this.#response.shouldKeepAlive = false;
    try {
      this.#response.writeHead(status, message, headers);
      return true;
    } catch (error) {
      this.#fail(`its answer cannot be passed on: ${(error as Error).message}`);
      this.#outgoing.destroy();
      return false;
    }
  }

  answerData(chunk: Buffer): void {
    this.#context.recording?.response.add(chunk);
    if (!this.#response.write(chunk)) this.#answer?.pause();
  }

  callerDrained(): void {
    this.#answer?.resume();
  }

  answerEnded(): void {
    const answer = this.#answer as IncomingMessage; // it is the one that ended
    if (!answer.complete || this.#state === "ended") return; // an error follows, or came before
    if (answer.rawTrailers.length > 0) this.#response.addTrailers(pairs(answer.rawTrailers));
    this.#response.end();
    this.#end(answer.statusCode as number);
  }

  serviceFailed(error: NodeJS.ErrnoException): void {
    if (this.#state === "ended") return;
    if (this.#state === "answering") {
      if (this.#answer?.complete) return; // the service stopped listening to the rest of the request, and that is all
      this.#context.recording?.response.giveUp("cut-off");
      this.#end(502);
      this.#response.destroy(); // the caller sees the answer end early, as it did
    } else if (this.#mayAskAgain(error)) {
      this.#askAgain();
    } else {
      this.#fail(error.code ?? error.message);
    }
  }

  /** A kept connection that the service had closed says nothing about this call, if all that was sent is still there to be sent again. */
  #mayAskAgain(error: NodeJS.ErrnoException): boolean {
    if (!this.#outgoing.reusedSocket || !STALE.has(error.code ?? "")) return false;
    return this.#context.recording === undefined
      ? bodyless(this.#request)
      : this.#context.recording.request.state === "whole";
  }

  #askAgain(): void {
    this.#context.onRetry();
    this.#outgoing = this.#ask("new");
    for (const chunk of this.#context.recording?.request.chunks ?? []) this.#outgoing.write(chunk);
    if (this.#request.readableEnded) this.requestEnded();
    else this.#request.resume();
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
    if (this.#state === "ended") return;
    this.#context.recording?.response.giveUp("cut-off");
    this.#end(CALLER_WENT);
    this.#outgoing.destroy();
  }

  #end(status: number): void {
    this.#state = "ended";
    this.#context.recording?.end(status, this.#answer?.headers ?? {});
    this.#context.onEnd(status);
  }
}

function onRequestData(this: Carrier, chunk: Buffer): void {
  this[PASSAGE]?.requestData(chunk);
}
function onRequestEnd(this: Carrier): void {
  this[PASSAGE]?.requestEnded();
}
function onServiceDrain(this: Carrier): void {
  this[PASSAGE]?.serviceDrained();
}
function onContinue(this: Carrier): void {
  this[PASSAGE]?.goAhead();
}
function onAnswer(this: Carrier, answer: IncomingMessage): void {
  this[PASSAGE]?.answered(answer);
}
function onServiceError(this: Carrier, error: NodeJS.ErrnoException): void {
  this[PASSAGE]?.serviceFailed(error);
}
function onAnswerData(this: Carrier, chunk: Buffer): void {
  this[PASSAGE]?.answerData(chunk);
}
function onAnswerEnd(this: Carrier): void {
  this[PASSAGE]?.answerEnded();
}
function onCallerDrain(this: Carrier): void {
  this[PASSAGE]?.callerDrained();
}
function onCallerClose(this: Carrier): void {
  this[PASSAGE]?.callerClosed();
}

function headersForService(request: IncomingMessage): string[] {
  const headers = endToEnd(request.rawHeaders, request.headers.connection);
  // Node frames what it does not know the length of, and here that is: no body.
  if (bodyless(request) && mayHaveBody(request.method)) headers.push("Content-Length", "0");
  return headers;
}

/** Who speaks HTTP/1.0 knows no chunks: the end of the connection is the end of the answer. */
function dropFraming(headers: string[]): void {
  for (let i = headers.length - 2; i >= 0; i -= 2) {
    if (headers[i]?.toLowerCase() === "transfer-encoding") headers.splice(i, 2);
  }
}

function bodyless({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] === undefined && headers["content-length"] === undefined;
}

function mayHaveBody(method: string | undefined): boolean {
  return method === "POST" || method === "PUT" || method === "PATCH";
}

function pairs(raw: readonly string[]): [string, string][] {
  return raw.flatMap((name, i) => (i % 2 === 0 ? [[name, raw[i + 1] ?? ""] as [string, string]] : []));
}
