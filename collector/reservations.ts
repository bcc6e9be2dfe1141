import { ServiceError } from "../schema/errors.ts";
import { SpareMemory } from "./spare-memory.ts";

/** Room that one request takes of what all requests may hold in memory. */
export interface Reservation {
  /** @throws ServiceError `queue-full` when there is not so much room left. */
  grow(bytes: number): void;
  /** Memory of at least so many bytes, until the release. */
  memory(bytes: number): Buffer;
  release(): void;
}

/** What earlier requests were read into is kept for later ones, up to this. */
const MOST_KEPT_BYTES = 8 * 1024 * 1024;

/** Bytes of requests in work, bounded: whoever comes when it is full is told to come again. */
export class Reservations {
  readonly #most: number;
  #taken = 0;
  readonly #memory = new SpareMemory(MOST_KEPT_BYTES);
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
        const memory = this.#memory.take(bytes);
        lent = memory;
        return memory;
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
        if (lent) this.#memory.give(lent);
        lent = undefined;
      },
    };
  }
}
