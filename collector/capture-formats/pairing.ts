import type { CapturedCall, CapturedHalf } from "../../protocols/captured.ts";
import { ServiceError } from "../../schema/errors.ts";
import type { CaptureHalves, StoredHalf } from "../../store/capture-halves.ts";
import { isFailed } from "../attempt.ts";

/** A half as it came, and its place in the body it came in. */
export interface ArrivedHalf {
  readonly index: number;
  readonly key: string;
  readonly call: CapturedCall;
  readonly half: CapturedHalf;
}

/** Both halves of a call; `index` is that of the half that came last. */
export interface Pair {
  readonly index: number;
  readonly call: CapturedCall;
  readonly request: CapturedHalf;
  readonly response: CapturedHalf;
}

export interface PairingOutcome {
  /** Halves that are kept until the other comes. */
  readonly waiting: number;
  /** Halves that had come before. */
  readonly repeated: number;
}

interface Job {
  readonly halves: readonly ArrivedHalf[];
  /** Stores the pairs durably. */
  readonly complete: (pairs: readonly Pair[]) => Promise<void>;
  readonly resolve: (outcome: PairingOutcome) => void;
  readonly reject: (error: unknown) => void;
}

/** What is known under a key, and whom that rests on: a request of this pass may yet fail. */
interface Known {
  /** `failed`: a call that did, and is over; the next half is one of another attempt. */
  readonly half: StoredHalf | "failed";
  readonly from: Job | "store";
}

/**
 * Joins requests with their answers, whichever comes first. When `take` returns, every half is durable: in the store
 * where it waits, or as part of a record.
 *
 * One pass at a time works on everything that has gathered meanwhile, so that many small requests share one commit.
 */
export class Pairing {
  readonly #store: CaptureHalves;
  readonly #now: () => Date;
  readonly #mostBytes: number;
  #gathered: Job[] = [];
  #passing: "passing" | "idle" = "idle";
  #bytes: number;

  /** @param mostBytes - Halves may wait up to about this length; whoever sends more is told to come again. */
  constructor(options: {
    readonly store: CaptureHalves;
    readonly now: () => Date;
    readonly mostBytes: number;
    /** Bytes that wait already. */
    readonly bytes: number;
  }) {
    this.#store = options.store;
    this.#now = options.now;
    this.#mostBytes = options.mostBytes;
    this.#bytes = options.bytes;
  }

  take(halves: readonly ArrivedHalf[], complete: Job["complete"]): Promise<PairingOutcome> {
    if (halves.length === 0) return Promise.resolve({ waiting: 0, repeated: 0 });
    return new Promise((resolve, reject) => {
      this.#gathered.push({ halves, complete, resolve, reject });
      if (this.#passing === "idle") void this.#pass();
    });
  }

  /** Sets what waits, after some of it has expired. */
  recount(bytes: number): void {
    this.#bytes = bytes;
  }

  async #pass(): Promise<void> {
    this.#passing = "passing";
    while (this.#gathered.length > 0) {
      const jobs = this.#gathered;
      this.#gathered = [];
      try {
        await this.#work(jobs);
      } catch (error) {
        for (const { reject } of jobs) reject(error);
      }
    }
    this.#passing = "idle";
  }

  async #work(jobs: readonly Job[]): Promise<void> {
    const keys = new Set(jobs.flatMap(({ halves }) => halves.map(({ key }) => key)));
    const known = new Map<string, Known>();
    for (const half of await this.#store.find([...keys])) {
      known.set(half.key, { half, from: "store" });
    }
    const matched = jobs.map((job) => match(job, known));
    const failed = new Map<Job, unknown>();
    await Promise.all(
      matched.map(async ({ job, pairs, fresh }) => {
        if (fresh.length > 0 && this.#bytes > this.#mostBytes) failed.set(job, this.#full());
        else if (pairs.length > 0)
          await job.complete(pairs.map(({ pair }) => pair)).catch((error: unknown) => failed.set(job, error));
      }),
    );
    for (const { job, restsOn } of matched) {
      const broken = restsOn.find((other) => failed.has(other));
      if (broken && !failed.has(job)) failed.set(job, failed.get(broken));
    }
    const done = matched.filter(({ job }) => !failed.has(job));
    const pairs = done.flatMap((each) => each.pairs);
    const used = new Set(pairs.map(({ other }) => other));
    const kept = done.flatMap(({ fresh }) => fresh).filter((half) => !used.has(half));
    const bytes = kept.reduce((sum, half) => sum + lengthOf(half), 0);
    await this.#store.keep(
      kept,
      pairs.map(({ key, pair, attempt }) => ({ key, model: pair.call.model, attempt })),
      this.#now(),
    );
    this.#bytes = Math.max(0, this.#bytes + bytes - pairs.reduce((sum, { released }) => sum + released, 0));
    for (const { job, fresh, repeated } of matched) {
      if (failed.has(job)) job.reject(failed.get(job));
      else job.resolve({ waiting: fresh.filter((half) => !used.has(half)).length, repeated });
    }
  }

  #full(): ServiceError {
    return new ServiceError(
      "queue-full",
      `${this.#bytes} bytes of half calls wait for their other half, of ${this.#mostBytes} that may: send the others first, or raise max_capture_waiting_bytes`,
      { retryAfterSeconds: 10 },
    );
  }
}

interface MatchedPair {
  readonly key: string;
  readonly pair: Pair;
  /** The half that was known. */
  readonly other: StoredHalf;
  /** Whether it is over, or the call may be tried again under its id. */
  readonly attempt: "last" | "failed";
  readonly released: number;
}

interface Matched {
  readonly job: Job;
  readonly pairs: readonly MatchedPair[];
  readonly fresh: readonly StoredHalf[];
  readonly repeated: number;
  /** Requests of the same pass that brought what this one only repeats. */
  readonly restsOn: readonly Job[];
}

/** What the halves of one request find in those known before; adds them to these. */
function match(job: Job, known: Map<string, Known>): Matched {
  const pairs: Matched["pairs"][number][] = [];
  const fresh: StoredHalf[] = [];
  const restsOn: Job[] = [];
  let repeated = 0;
  for (const arrived of job.halves) {
    const other = known.get(arrived.key);
    const own = stored(arrived);
    const over = other?.half === "failed" || other?.half.side === "both" || other?.half.side === own.side;
    if (over && other.from !== "store" && other.from !== job) restsOn.push(other.from);
    if (other === undefined || other.half === "failed") {
      known.set(arrived.key, { half: own, from: job });
      fresh.push(own);
    } else if (over) {
      repeated++;
    } else {
      const pair = pairOf(arrived, other.half);
      const attempt = isFailed(pair.response.status ?? 0) ? "failed" : "last";
      known.set(arrived.key, { half: attempt === "failed" ? attempt : { ...own, side: "both" }, from: job });
      const released = other.from === "store" ? lengthOf(other.half) : 0;
      pairs.push({ key: arrived.key, pair, other: other.half, attempt, released });
    }
  }
  return { job, pairs, fresh, repeated, restsOn };
}

function lengthOf({ key, document, body }: StoredHalf): number {
  return key.length + (document?.length ?? 0) + (body?.length ?? 0);
}

function stored({ key, call, half }: ArrivedHalf): StoredHalf {
  const { message, ...rest } = half;
  const document = JSON.stringify({ call, half: rest, headers: message.headers });
  return { key, side: half.side, model: call.model, document, body: message.body };
}

interface Document {
  readonly call: CapturedCall;
  readonly half: Omit<CapturedHalf, "message">;
  readonly headers: CapturedHalf["message"]["headers"];
}

function pairOf({ index, call, half }: ArrivedHalf, other: StoredHalf): Pair {
  const told = JSON.parse(other.document ?? "{}") as Document; // written by `stored`
  const second: CapturedHalf = {
    ...told.half,
    message: { headers: told.headers, body: other.body ?? new Uint8Array() },
  };
  const version = call.version ?? told.call.version;
  const [request, response] = half.side === "request" ? [half, second] : [second, half];
  return { index, call: { ...call, version }, request, response };
}
