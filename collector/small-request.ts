import { scheduler } from "node:timers/promises";
import type { IngestAnswer } from "../schema/record.ts";
import type { Batch } from "./batch-intake.ts";
import type { RowsInUse } from "./model-rows.ts";

/** A request of few records, to be taken together with others. One of the two is called once. */
export interface SmallRequest {
  readonly what: "records" | "labels";
  readonly model: string;
  readonly batch: Batch;
  /** When what is counted as stored or duplicates survives a crash. */
  readonly answered: (answer: IngestAnswer) => void;
  readonly failed: (error: unknown) => void;
}

/** One that is in memory, and not durable yet. */
export interface TakenRequest {
  readonly request: SmallRequest;
  readonly inUse: RowsInUse;
  readonly answer: IngestAnswer;
}

/** Whether a request's answer promises anything: what is new, or was known, is to survive a crash. */
export function isLasting({ stored, duplicates }: IngestAnswer): boolean {
  return stored + duplicates > 0;
}

/** Others get their turn after so many bytes of requests. */
const TURN_BYTES = 256 * 1024;

/** Requests that were read in this turn of the event loop: at its end they are taken together. */
export class SmallRequestQueue {
  readonly #take: (requests: readonly SmallRequest[]) => void;
  #requests: SmallRequest[] = [];

  constructor(take: (requests: readonly SmallRequest[]) => void) {
    this.#take = take;
  }

  get length(): number {
    return this.#requests.length;
  }

  add(request: SmallRequest): void {
    if (this.#requests.push(request) === 1) this.#takeSoon();
  }

  #takeSoon(): void {
    void scheduler.yield().then(() => {
      let bytes = 0;
      const enough = this.#requests.findIndex(({ batch }) => {
        bytes += batch.bytes.length;
        return bytes > TURN_BYTES;
      });
      const taken = this.#requests.splice(0, enough === -1 ? this.#requests.length : Math.max(1, enough));
      if (this.#requests.length > 0) this.#takeSoon();
      this.#take(taken);
    });
  }
}
