import type { CaptureAnswer, IngestAnswer } from "../../schema/record.ts";
import type { PairingOutcome } from "./pairing.ts";

/** Most notes in one answer. */
const MOST_NOTES = 20;

/** Counts what became of captured calls and names the first errors. */
export class CaptureTally {
  readonly #mostErrors: number;
  readonly #errors: CaptureAnswer["errors"] = [];
  readonly #notes: CaptureAnswer["notes"] = [];
  #events = 0;
  #ignored = 0;
  #stored = 0;
  #duplicates = 0;
  #rejected = 0;
  #sampledOut = 0;

  constructor(mostErrors: number) {
    this.#mostErrors = mostErrors;
  }

  event(): void {
    this.#events++;
  }

  ignore(): void {
    this.#ignored++;
  }

  refuse(index: number, message: string): void {
    this.#rejected++;
    if (this.#errors.length < this.#mostErrors) this.#errors.push({ index, path: "", message });
  }

  note(index: number, note: string): void {
    if (this.#notes.length < MOST_NOTES) this.#notes.push({ index, note });
  }

  /** @param indexes - Where in the body each record comes from. */
  add(answer: IngestAnswer, indexes: readonly number[]): void {
    this.#stored += answer.stored;
    this.#duplicates += answer.duplicates;
    this.#rejected += answer.rejected;
    this.#sampledOut += answer.sampled_out ?? 0;
    for (const { index, path, message } of answer.errors) {
      if (this.#errors.length < this.#mostErrors)
        this.#errors.push({ index: indexes[index] ?? 0, path, message });
    }
  }

  answer({ waiting, repeated }: PairingOutcome): CaptureAnswer {
    return {
      received: this.#stored + this.#duplicates + this.#rejected + this.#sampledOut,
      stored: this.#stored,
      duplicates: this.#duplicates,
      rejected: this.#rejected,
      ...(this.#sampledOut > 0 ? { sampled_out: this.#sampledOut } : {}),
      errors: this.#errors,
      events: this.#events,
      waiting,
      repeated,
      ignored: this.#ignored,
      notes: this.#notes,
    };
  }
}
