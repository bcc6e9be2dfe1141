import type { IngestAnswer } from "../schema/record.ts";
import type { RecordIssue } from "./record-issues.ts";
import type { Outcome } from "./rows.ts";

/** Counts what became of a request's records and names the first errors. */
export class Tally {
  readonly #mostErrors: number;
  readonly #errors: { index: number; path: string; message: string }[] = [];
  #stored = 0;
  #duplicates = 0;
  #rejected = 0;
  #sampledOut = 0;
  constructor(mostErrors: number) {
    this.#mostErrors = mostErrors;
  }

  add(index: number, outcome: Outcome | readonly RecordIssue[]): void {
    if (outcome === "stored") this.#stored++;
    else if (outcome === "duplicate") this.#duplicates++;
    else if (outcome === "sampled-out") this.#sampledOut++;
    else {
      this.#rejected++;
      for (const issue of outcome) {
        if (this.#errors.length < this.#mostErrors) this.#errors.push({ index, ...issue });
      }
    }
  }

  answer(): IngestAnswer {
    return {
      received: this.#stored + this.#duplicates + this.#rejected + this.#sampledOut,
      stored: this.#stored,
      duplicates: this.#duplicates,
      rejected: this.#rejected,
      ...(this.#sampledOut > 0 ? { sampled_out: this.#sampledOut } : {}),
      errors: this.#errors,
    };
  }
}
