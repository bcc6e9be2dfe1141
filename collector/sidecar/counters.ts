const NAMES = [
  "requests_1xx",
  "requests_2xx",
  "requests_3xx",
  "requests_4xx",
  "requests_5xx",
  "captured_requests",
  "sampled_out_requests",
  "sampled_out_decoded_requests",
  "dropped_requests_memory",
  "dropped_requests_background",
  "undecoded_requests_too_long",
  "undecoded_requests_cut_off",
  "undecoded_requests_format",
  "captured_records",
  "recovered_records",
  "sent_records_stored",
  "sent_records_duplicate",
  "sent_records_rejected",
  "sent_records_sampled_out",
  "dropped_records_spool_full",
  "dropped_records_spool_failed",
  "dropped_records_no_spool",
  "dropped_records_background",
  "send_failures",
  "upstream_retries",
  "background_restarts",
  "gathering_records",
  "waiting_records",
  "waiting_bytes",
  "spooled_records",
  "spooled_bytes",
  "oldest_waiting_ms",
] as const;

export type CounterName = (typeof NAMES)[number];

const SLOTS: ReadonlyMap<CounterName, number> = new Map(NAMES.map((name, slot) => [name, slot]));

/**
 * Numbers that both threads see without asking each other. Each has one writer at a time: the proxy those of requests,
 * the background thread those of records.
 */
export class Counters {
  readonly buffer: SharedArrayBuffer;
  readonly #values: Float64Array;

  constructor(buffer = new SharedArrayBuffer(NAMES.length * Float64Array.BYTES_PER_ELEMENT)) {
    this.buffer = buffer;
    this.#values = new Float64Array(buffer);
  }

  get(name: CounterName): number {
    return this.#values[slotOf(name)] as number; // every name has its slot
  }

  set(name: CounterName, value: number): void {
    this.#values[slotOf(name)] = value;
  }

  add(name: CounterName, by = 1): void {
    this.set(name, this.get(name) + by);
  }
}

function slotOf(name: CounterName): number {
  return SLOTS.get(name) as number; // made from the same list
}
