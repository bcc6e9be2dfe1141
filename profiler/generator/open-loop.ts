/** How a request ended. */
export type Outcome = "ok" | "failed" | "timed-out";

/** What carries requests. */
export interface Wire {
  /** Sends request `id` now; `busy` when every connection is taken and no more may be opened. */
  send(id: number): "sent" | "busy";
  /** Gives up on a request that was sent. */
  cancel(id: number): void;
}

/** What an open loop tells of each request. Times in milliseconds. */
export interface LoopRecorder {
  /** The generator noticed a request so long after the time it was meant for: its own fault. */
  late(lateMs: number): void;
  /** @param sinceSentMs - undefined when it was never sent. */
  ended(outcome: Outcome, times: { readonly sinceIntendedMs: number; readonly sinceSentMs?: number }): void;
}

interface Flying {
  readonly intended: number;
  readonly sent: number;
}

/**
 * An open-loop load: requests are sent at the times they are meant for, and latency counts from that time. When the
 * service stalls, the requests that should have been sent meanwhile are counted with the whole time they would have
 * waited; a generator that waits for answers before it sends leaves those out ("coordinated omission").
 *
 * Holds no clock: the caller says what time it is, so that a test can run it in virtual time.
 *
 * @see Gil Tene, wrk2 README, on latency from the intended time.
 */
export class OpenLoop {
  readonly #intended: Iterator<number, void>;
  readonly #wire: Wire;
  readonly #recorder: LoopRecorder;
  readonly #timeoutMs: number;
  readonly #flying = new Map<number, Flying>();
  readonly #waiting: number[] = [];
  #waitingFrom = 0;
  #next: number | undefined;
  #nextId = 0;
  #mostInFlight = 0;

  constructor({
    intended,
    wire,
    recorder,
    timeoutMs,
  }: {
    /** Times at which requests are to be sent, ascending. */
    readonly intended: Iterator<number, void>;
    readonly wire: Wire;
    readonly recorder: LoopRecorder;
    readonly timeoutMs: number;
  }) {
    this.#intended = intended;
    this.#wire = wire;
    this.#recorder = recorder;
    this.#timeoutMs = timeoutMs;
    this.#advance();
  }

  /** Time of the next request; undefined when all have had their turn. */
  get next(): number | undefined {
    return this.#next;
  }

  /** Requests that are sent or wait for a connection. */
  get outstanding(): number {
    return this.#flying.size + this.#waiting.length - this.#waitingFrom;
  }

  /** Most requests that were under way at once, those waiting for a connection included. */
  get mostInFlight(): number {
    return this.#mostInFlight;
  }

  /** Requests without an answer whose time came longer than `ageMs` ago. */
  olderThan(ageMs: number, now: number): number {
    let count = 0;
    for (const { intended } of this.#flying.values()) {
      if (now - intended <= ageMs) return count; // those that wait for a connection are younger still
      count += 1;
    }
    for (let i = this.#waitingFrom; i < this.#waiting.length; i += 1) {
      if (now - (this.#waiting[i] as number) <= ageMs) break;
      count += 1;
    }
    return count;
  }

  /** Sends what is due and gives up on what has waited too long. */
  tick(now: number): void {
    while (this.#next !== undefined && this.#next <= now) {
      this.#recorder.late(now - this.#next);
      this.#waiting.push(this.#next);
      this.#advance();
    }
    this.#sendWaiting(now);
    for (const [id, { intended, sent }] of this.#flying) {
      if (now - intended < this.#timeoutMs) break; // sent in the order they were meant for
      this.#flying.delete(id);
      this.#wire.cancel(id);
      this.#recorder.ended("timed-out", { sinceIntendedMs: this.#timeoutMs, sinceSentMs: now - sent });
    }
    this.#mostInFlight = Math.max(this.#mostInFlight, this.outstanding);
  }

  /** A request that was sent has been answered, or its connection broke. */
  end(id: number, outcome: "ok" | "failed", now: number): void {
    const flying = this.#flying.get(id);
    if (!flying) return; // given up on before
    this.#flying.delete(id);
    this.#recorder.ended(outcome, {
      sinceIntendedMs: now - flying.intended,
      sinceSentMs: now - flying.sent,
    });
    this.#sendWaiting(now);
  }

  /** Ends the window: what has no answer yet is given up and counted as timed out. */
  abandon(now: number): void {
    for (const [id, { intended, sent }] of this.#flying) {
      this.#wire.cancel(id);
      this.#recorder.ended("timed-out", {
        sinceIntendedMs: Math.max(now - intended, 0),
        sinceSentMs: now - sent,
      });
    }
    this.#flying.clear();
    for (const intended of this.#waiting.slice(this.#waitingFrom)) {
      this.#recorder.ended("timed-out", { sinceIntendedMs: now - intended });
    }
    this.#waitingFrom = this.#waiting.length;
    this.#next = undefined;
  }

  #sendWaiting(now: number): void {
    while (this.#waitingFrom < this.#waiting.length) {
      const intended = this.#waiting[this.#waitingFrom] as number; // within bounds
      if (now - intended >= this.#timeoutMs) {
        this.#recorder.ended("timed-out", { sinceIntendedMs: this.#timeoutMs });
      } else {
        const id = this.#nextId;
        this.#flying.set(id, { intended, sent: now }); // before it is sent: the answer may come at once
        if (this.#wire.send(id) === "busy") {
          this.#flying.delete(id);
          return;
        }
        this.#nextId += 1;
      }
      this.#waitingFrom += 1;
      if (this.#waitingFrom > 4_096) {
        this.#waiting.splice(0, this.#waitingFrom);
        this.#waitingFrom = 0;
      }
    }
  }

  #advance(): void {
    const { value, done } = this.#intended.next();
    this.#next = done ? undefined : (value as number);
  }
}
