import type { BodyState } from "./body-tee.ts";
import type { Call, Payload } from "./call.ts";

/**
 * Calls are handed to the background thread many at a time, copied into one buffer that changes hands: a message per
 * call would cost the proxy more than the call's own copy.
 *
 * Layout of a call: u32 lengths of head, request and response (little-endian), then the three.
 */
const LENGTHS_BYTES = 12;
/** Of a text in UTF-8, per UTF-16 unit. */
const MOST_BYTES_PER_UNIT = 3;
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
    const head = headText(call);
    const most = LENGTHS_BYTES + head.length * MOST_BYTES_PER_UNIT + request.bytes + response.bytes;
    if (this.#slab && this.#bytes + most > this.#slab.length) this.flush();
    this.#slab ??= this.#take(most);
    const slab = this.#slab;
    const start = this.#bytes;
    let at = start + LENGTHS_BYTES;
    const headBytes = slab.write(head, at);
    at += headBytes;
    for (const chunk of request.chunks) at += chunk.copy(slab, at);
    for (const chunk of response.chunks) at += chunk.copy(slab, at);
    slab.writeUInt32LE(headBytes, start);
    slab.writeUInt32LE(request.bytes, start + 4);
    slab.writeUInt32LE(response.bytes, start + 8);
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

type HeadFields = readonly [
  id: string,
  idState: Call["idState"],
  timeMs: number,
  latencyMs: number,
  status: number,
  path: string,
  ...request: PayloadFields,
  ...response: PayloadFields,
];
type PayloadFields = readonly [
  state: BodyState,
  type: string | null,
  encoding: string | null,
  headerLength: string | null,
];

function headText({ id, idState, timeMs, latencyMs, status, path, request, response }: CallHead): string {
  const fields: HeadFields = [
    id,
    idState,
    timeMs,
    latencyMs,
    status,
    path,
    ...payloadFields(request),
    ...payloadFields(response),
  ];
  return JSON.stringify(fields);
}

function payloadFields({ state, type, encoding, headerLength }: PayloadHead): PayloadFields {
  return [state, type ?? null, encoding ?? null, headerLength ?? null];
}

/** The calls of a slab. Their bodies are views of it. */
export function* readSlab({ buffer: slab, bytes }: Slab): Generator<Call> {
  const buffer = Buffer.from(slab, 0, bytes);
  for (let at = 0; at < bytes; ) {
    const [head, request, response] = [0, 4, 8].map((offset) => buffer.readUInt32LE(at + offset)) as [
      number,
      number,
      number,
    ];
    const headAt = at + LENGTHS_BYTES;
    const requestAt = headAt + head;
    const responseAt = requestAt + request;
    at = responseAt + response;
    const [id, idState, timeMs, latencyMs, status, path, ...payloads] = JSON.parse(
      buffer.toString("utf8", headAt, requestAt),
    ) as HeadFields;
    const [a, b, c, d, e, f, g, h] = payloads;
    yield {
      id,
      idState,
      timeMs,
      latencyMs,
      status,
      path,
      request: payload([a, b, c, d], buffer.subarray(requestAt, responseAt)),
      response: payload([e, f, g, h], buffer.subarray(responseAt, at)),
    };
  }
}

function payload([state, type, encoding, headerLength]: PayloadFields, body: Uint8Array): Payload {
  return {
    state,
    type: type ?? undefined,
    encoding: encoding ?? undefined,
    headerLength: headerLength ?? undefined,
    body,
  };
}
