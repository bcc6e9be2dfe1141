import { randomUUID } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import type { AnswerFields } from "./answer-parser.ts";
import { BodyTee } from "./body-tee.ts";
import { Budget } from "./budget.ts";
import type { Call } from "./call.ts";
import type { Counters } from "./counters.ts";
import type { SidecarOptions } from "./options.ts";
import { pathFilter } from "./path-filter.ts";
import { failedId, LONGEST_ID } from "./record-id.ts";
import { isSampled } from "./sampling.ts";
import type { CallHead } from "./slab.ts";

/** What a call without bodies takes, about. */
const CALL_BYTES = 512;
const V2_INFER = /^\/v2\/models\/.+\/infer(?:\?|$)/;

/** What the recorder is told of a request when its head has come. */
interface RequestHead {
  readonly method: string | undefined;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
}

/** Takes a call, and the bytes that `Recorder.release` gets back when it is done with. */
type Hand = (call: CallHead, heldBytes: number) => void;

/** The part of the sidecar that looks on while a call goes through. It never waits and never throws into the call. */
export class Recorder {
  readonly #options: SidecarOptions;
  readonly #counters: Counters;
  readonly #hand: Hand;
  readonly #recorded: (url: string) => boolean;
  readonly #budget: Budget;

  constructor(options: SidecarOptions, counters: Counters, hand: Hand) {
    this.#options = options;
    this.#counters = counters;
    this.#hand = hand;
    this.#recorded = pathFilter({ only: options.onlyPaths, skip: options.skipPaths });
    this.#budget = new Budget(options.memoryBytes / 2);
  }

  /** Gives back memory of calls that the background is done with. */
  release(bytes: number): void {
    this.#budget.give(bytes);
  }

  /** Begins to look at a call; undefined when calls of this kind are not recorded. */
  begin(request: RequestHead): Recording | undefined {
    if (request.method !== "POST" || !this.#recorded(request.url)) return undefined;
    return new Recording(request, this.#options, this.#budget, this.#counters, this.#hand);
  }
}

/** One call while it goes through. */
export class Recording {
  readonly request: BodyTee;
  readonly response: BodyTee;
  readonly #options: SidecarOptions;
  readonly #counters: Counters;
  readonly #hand: Hand;
  readonly #budget: Budget;
  readonly #head: RequestHead;
  #id: string;
  #named: "by-caller" | "here";
  #idState: Call["idState"];
  #state: "looking" | "done" = "looking";
  readonly #timeMs = Date.now();
  readonly #started = performance.now();

  constructor(head: RequestHead, options: SidecarOptions, budget: Budget, counters: Counters, hand: Hand) {
    this.#budget = budget;
    this.#head = head;
    this.#options = options;
    this.#counters = counters;
    this.#hand = hand;
    this.request = new BodyTee(options.bodyBytes, budget);
    this.response = new BodyTee(options.bodyBytes, budget);
    const brought = broughtId(head.headers, options.idHeaders);
    this.#id = brought ?? randomUUID();
    this.#named = brought === undefined ? "here" : "by-caller";
    this.#idState = brought === undefined && V2_INFER.test(head.url) ? "open" : "settled";
  }

  /**
   * To be called when the answer's head has come: the id to tell the caller, and whether the call is in the sample.
   * The id of a V2 request may stand in its body; it is not told when the body may hold one.
   */
  answered(status: number): string | undefined {
    if (this.#idState === "open" && !mayHoldId(this.request)) this.#idState = "settled";
    if (this.#idState === "open") return undefined;
    this.#nameFailure(status);
    if (status < 400 && !isSampled(this.#id, this.#options.sample)) {
      this.#counters.add("sampled_out_requests");
      this.drop();
    }
    return this.#id;
  }

  /** To be called when the last byte of the answer has come, or it is clear that none will come. */
  end(status: number, headers: AnswerFields): void {
    if (this.#state === "done") return;
    this.#state = "done";
    const short = this.request.state === "no-memory" || this.response.state === "no-memory";
    if (short || !this.#budget.take(CALL_BYTES)) {
      this.#counters.add("dropped_requests_memory");
      this.request.giveUp("no-memory");
      this.response.giveUp("no-memory");
      return;
    }
    this.#counters.add("captured_requests");
    this.#nameFailure(status);
    const call: CallHead = {
      id: this.#id,
      idState: this.#idState,
      timeMs: this.#timeMs,
      latencyMs: Math.round((performance.now() - this.#started) * 1000) / 1000,
      status,
      path: this.#head.url,
      request: payloadOf(this.#head.headers, this.request),
      response: payloadOf(headers, this.response),
    };
    this.#hand(call, CALL_BYTES + this.request.bytes + this.response.bytes);
  }

  #nameFailure(status: number): void {
    if (status < 400 || this.#named === "here") return;
    this.#id = failedId(this.#id, randomUUID());
    this.#named = "here";
  }

  /** Looks no further. */
  drop(): void {
    this.#state = "done";
    this.request.giveUp("cut-off");
    this.response.giveUp("cut-off");
  }
}

function broughtId(headers: IncomingHttpHeaders, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = headers[name];
    if (typeof value === "string" && value.length > 0 && value.length <= LONGEST_ID) return value;
  }
  return undefined;
}

function mayHoldId({ chunks, state }: BodyTee): boolean {
  if (state !== "whole") return true;
  const body = chunks.length === 1 ? chunks[0] : Buffer.concat(chunks);
  return body?.includes('"id"') ?? false;
}

function payloadOf(
  headers: AnswerFields | IncomingHttpHeaders,
  { state, chunks, bytes }: BodyTee,
): CallHead["request"] {
  const headerLength = headers["inference-header-content-length"];
  return {
    state,
    chunks,
    bytes,
    type: headers["content-type"],
    encoding: headers["content-encoding"],
    headerLength: typeof headerLength === "string" ? headerLength : undefined,
  };
}
