import type { Budget } from "./budget.ts";

/** How much of a body was kept: all of it, or why not. */
export type BodyState = "whole" | "too-long" | "cut-off" | "no-memory";

/** Keeps a copy of a body that streams through, up to a length and as far as there is memory for it. */
export class BodyTee {
  readonly #limit: number;
  readonly #budget: Budget;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #state: BodyState = "whole";

  constructor(limit: number, budget: Budget) {
    this.#limit = limit;
    this.#budget = budget;
  }

  get state(): BodyState {
    return this.#state;
  }

  /** What was kept; nothing unless the state is `whole`. */
  get chunks(): readonly Buffer[] {
    return this.#chunks;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(chunk: Buffer): void {
    if (this.#state !== "whole") return;
    if (this.#bytes + chunk.length > this.#limit) {
      this.giveUp("too-long");
    } else if (this.#budget.take(chunk.length)) {
      this.#chunks.push(chunk);
      this.#bytes += chunk.length;
    } else {
      this.giveUp("no-memory");
    }
  }

  /** Lets go of what was kept, and keeps nothing more. */
  giveUp(state: Exclude<BodyState, "whole">): void {
    if (this.#state === "whole") this.#state = state;
    this.#budget.give(this.#bytes);
    this.#chunks = [];
    this.#bytes = 0;
  }
}
