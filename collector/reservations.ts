import { ServiceError } from "../schema/errors.ts";

/** Room that one request takes of what all requests may hold in memory. */
export interface Reservation {
  /** @throws ServiceError `queue-full` when there is not so much room left. */
  grow(bytes: number): void;
  /** Memory of at least so many bytes, until the release. */
  memory(bytes: number): Buffer;
  release(): void;
}

/** Memory is kept for the next request between these sizes: below it is cheap, above it is rare. */
const LEAST_KEPT_BYTES = 16 * 1024;
const MOST_KEPT_BYTES = 2 * 1024 * 1024;
const MOST_KEPT = 8;

/** Bytes of requests in work, bounded: whoever comes when it is full is told to come again. */
export class Reservations {
  readonly #most: number;
  #taken = 0;
  /** What earlier requests were read into: new memory for each keeps the garbage collector busy. */
  readonly #spare: Buffer[] = [];
  constructor(most: number) {
    this.#most = most;
  }

  get taken(): number {
    return this.#taken;
  }

  reserve(): Reservation {
    let own = 0;
    let lent: Buffer | undefined;
    return {
      memory: (bytes) => {
        if (bytes < LEAST_KEPT_BYTES || bytes > MOST_KEPT_BYTES) return Buffer.allocUnsafe(bytes);
        const fitting = this.#spare.findIndex(({ length }) => length >= bytes);
        lent = this.#spare.splice(fitting, fitting === -1 ? 0 : 1)[0];
        lent ??= Buffer.allocUnsafeSlow(2 ** Math.ceil(Math.log2(bytes)));
        return lent;
      },
      grow: (bytes) => {
        // A request alone is let in whatever its length: its own limit is another one.
        if (this.#taken + bytes > this.#most && this.#taken > own) {
          throw new ServiceError(
            "queue-full",
            `${this.#taken} bytes of other requests are waiting, of ${this.#most} that may: try again in a moment`,
            { retryAfterSeconds: 1 },
          );
        }
        own += bytes;
        this.#taken += bytes;
      },
      release: () => {
        this.#taken -= own;
        own = 0;
        if (lent && this.#spare.length < MOST_KEPT) this.#spare.push(lent);
        lent = undefined;
      },
    };
  }
}
