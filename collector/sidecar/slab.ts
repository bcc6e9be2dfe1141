import type { BodyState } from "./body-tee.ts";
import type { Call, Payload } from "./call.ts";

/**
 * Calls are handed to the background thread many at a time, copied into one buffer that changes hands: a message per
 * call would cost the proxy more than the call's own copy.
 *
 * Layout of a call, little-endian: lengths of text, request and response (u32 each), time and latency in ms (f64 each),
 * status (u16), states of id, request and response (u8 each); then the three. The text is `TEXTS` fields, one per line,
 * in Latin-1, which is what Node takes the bytes of a head for.
 */
const FIXED_BYTES = 33;
const ID_STATES = ["settled", "open"] as const satisfies readonly Call["idState"][];
const BODY_STATES = ["whole", "too-long", "cut-off", "no-memory"] as const satisfies readonly BodyState[];
const SLAB_BYTES = 256 * 1024;

/** What is written of a payload: its bytes come apart. */
export interface PayloadHead extends Omit<Payload, "body"> {
  readonly chunks: readonly Buffer[];
  readonly bytes: number;
}

export interface CallHead extends Omit<Call, "request" | "response"> {
  readonly request: PayloadHead;
  readonly response: PayloadHead;
}

/** A buffer of calls on its way. */
export interface Slab {
  readonly buffer: ArrayBuffer;
  /** How much of the buffer is in use. */
  readonly bytes: number;
  /** Memory to give back when the calls are done with. */
  readonly heldBytes: number;
  readonly calls: number;
}

export class SlabWriter {
  readonly #send: (slab: Slab) => void;
  readonly #free: ArrayBuffer[] = [];
  #slab: Buffer | undefined;
  #bytes = 0;
  #heldBytes = 0;
  #calls = 0;

  constructor(send: (slab: Slab) => void) {
    this.#send = send;
  }

  add(call: CallHead, heldBytes: number): void {
    const { request, response } = call;
    const text = textOf(call);
    const bytes = FIXED_BYTES + text.length + request.bytes + response.bytes;
    if (this.#slab && this.#bytes + bytes > this.#slab.length) this.flush();
    this.#slab ??= this.#take(bytes);
    const slab = this.#slab;
    let at = writeFixed(slab, this.#bytes, call, text.length);
    at += slab.write(text, at, "latin1");
    for (const chunk of request.chunks) at += chunk.copy(slab, at);
    for (const chunk of response.chunks) at += chunk.copy(slab, at);
    this.#bytes = at;
    this.#heldBytes += heldBytes;
    this.#calls += 1;
  }

  flush(): void {
    if (!this.#slab || this.#bytes === 0) return;
    const buffer = this.#slab.buffer as ArrayBuffer; // made below
    const slab = { buffer, bytes: this.#bytes, heldBytes: this.#heldBytes, calls: this.#calls };
    this.#slab = undefined;
    this.#bytes = 0;
    this.#heldBytes = 0;
    this.#calls = 0;
    this.#send(slab);
  }

  /** Takes a slab back that the background is done with. */
  reuse(slab: ArrayBuffer): void {
    if (slab.byteLength === SLAB_BYTES && this.#free.length < 4) this.#free.push(slab);
  }

  #take(bytes: number): Buffer {
    return Buffer.from(
      bytes > SLAB_BYTES ? new ArrayBuffer(bytes) : (this.#free.pop() ?? new ArrayBuffer(SLAB_BYTES)),
    );
  }
}

function writeFixed(slab: Buffer, at: number, call: CallHead, textBytes: number): number {
  slab.writeUInt32LE(textBytes, at);
  slab.writeUInt32LE(call.request.bytes, at + 4);
  slab.writeUInt32LE(call.response.bytes, at + 8);
  slab.writeDoubleLE(call.timeMs, at + 12);
  slab.writeDoubleLE(call.latencyMs, at + 20);
  slab.writeUInt16LE(call.status, at + 28);
  slab[at + 30] = ID_STATES.indexOf(call.idState);
  slab[at + 31] = BODY_STATES.indexOf(call.request.state);
  slab[at + 32] = BODY_STATES.indexOf(call.response.state);
  return at + FIXED_BYTES;
}

function textOf({ id, path, request, response }: CallHead): string {
  return `${id}\n${path}\n${fieldsOf(request)}\n${fieldsOf(response)}`;
}

function fieldsOf({ type = "", encoding = "", headerLength = "" }: PayloadHead): string {
  return `${type}\n${encoding}\n${headerLength}`;
}

/** The calls of a slab. Their bodies are views of it. */
export function* readSlab({ buffer: slab, bytes }: Slab): Generator<Call> {
  const buffer = Buffer.from(slab, 0, bytes);
  for (let at = 0; at < bytes; ) {
    const textAt = at + FIXED_BYTES;
    const requestAt = textAt + buffer.readUInt32LE(at);
    const responseAt = requestAt + buffer.readUInt32LE(at + 4);
    const end = responseAt + buffer.readUInt32LE(at + 8);
    const [id = "", path = "", ...fields] = buffer.toString("latin1", textAt, requestAt).split("\n");
    yield {
      id,
      path,
      idState: ID_STATES[buffer[at + 30] as number] ?? "settled",
      timeMs: buffer.readDoubleLE(at + 12),
      latencyMs: buffer.readDoubleLE(at + 20),
      status: buffer.readUInt16LE(at + 28),
      request: payload(fields, 0, buffer[at + 31], buffer.subarray(requestAt, responseAt)),
      response: payload(fields, 3, buffer[at + 32], buffer.subarray(responseAt, end)),
    };
    at = end;
  }
}

function payload(
  fields: readonly string[],
  from: number,
  state: number | undefined,
  body: Uint8Array,
): Payload {
  return {
    state: BODY_STATES[state ?? 0] ?? "whole",
    type: fields[from] || undefined,
    encoding: fields[from + 1] || undefined,
    headerLength: fields[from + 2] || undefined,
    body,
  };
}
