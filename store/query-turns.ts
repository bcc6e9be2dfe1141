import { ServiceError } from "../schema/errors.ts";
import type { QueryLimits } from "./query-limits.ts";

/** Lets a few queries run and a few more wait, in the order in which they came. */
export class QueryTurns {
  readonly #limits: Pick<QueryLimits, "running" | "waiting">;
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(limits: Pick<QueryLimits, "running" | "waiting">) {
    this.#limits = limits;
  }

  /**
   * Waits for a turn; what it resolves to ends the turn.
   * @throws ServiceError `queue-full` when too many wait, or the signal's reason.
   */
  async take(signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#running < this.#limits.running) this.#running += 1;
    else await this.#wait(signal);
    return () => {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#running -= 1;
    };
  }

  #wait(signal: AbortSignal): Promise<void> {
    const { running, waiting } = this.#limits;
    if (this.#waiting.length >= waiting) {
      throw new ServiceError(
        "queue-full",
        `${running} queries run and ${waiting} wait, which is the most: try again in a moment`,
        { retryAfterSeconds: 1 },
      );
    }
    return new Promise((resolve, reject) => {
      const start = () => {
        signal.removeEventListener("abort", leave);
        resolve();
      };
      const leave = () => {
        this.#waiting.splice(this.#waiting.indexOf(start), 1);
        reject(signal.reason);
      };
      this.#waiting.push(start);
      signal.addEventListener("abort", leave, { once: true });
    });
  }
}
