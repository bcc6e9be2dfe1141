import type { Tensor, TensorValue } from "../../protocols/tensor.ts";
import { pointOf } from "./choose-version.ts";
import type { ScoringCall } from "./scoring-call.ts";
import type { ServedVersion } from "./served-version.ts";

/** Requests that may wait for the shadow: it never holds up what is answered, so it skips what it cannot keep up with. */
const MOST_WAITING = 32;

/** How the shadow's answers went with those that were given. */
export interface ShadowStats {
  readonly version: string;
  scored: number;
  skipped: number;
  failed: number;
  /** Requests whose texts and whole numbers were all the same, and whose floats were numbers in both or in neither. */
  agreed: number;
  /** Largest difference of a float so far. */
  largest_difference: number;
}

/** A version that scores a fraction of the requests after they have been answered. */
export class Shadow {
  readonly version: ServedVersion;
  readonly #fraction: number;
  readonly stats: ShadowStats;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(version: ServedVersion, fraction: number) {
    this.version = version;
    this.#fraction = fraction;
    this.stats = {
      version: version.version,
      scored: 0,
      skipped: 0,
      failed: 0,
      agreed: 0,
      largest_difference: 0,
    };
  }

  /** By the request's id: the same id always is, or is not. */
  wants(recordId: string): boolean {
    return this.#fraction >= 1 || pointOf(`shadow:${recordId}`) < this.#fraction;
  }

  /** The shadow's outputs once it has had its turn; undefined when it has none. */
  score(call: ScoringCall, given: readonly Tensor[]): Promise<readonly Tensor[] | undefined> {
    if (this.#waiting >= MOST_WAITING) {
      this.stats.skipped += 1;
      return Promise.resolve(undefined);
    }
    this.#waiting += 1;
    const turn = this.#last.then(async () => {
      await new Promise((resolve) => setTimeout(resolve, 0)); // those that wait for an answer go first
      try {
        const outputs = await this.version.run(call.runs, call.rows);
        this.#compare(given, outputs);
        return outputs;
      } catch {
        this.stats.failed += 1;
        return undefined;
      } finally {
        this.#waiting -= 1;
      }
    });
    this.#last = turn;
    return turn;
  }

  /** Resolves when what waits has been scored. Its version may be one that answers, too: whoever loaded it closes it. */
  async settled(): Promise<void> {
    await this.#last;
  }

  #compare(given: readonly Tensor[], outputs: readonly Tensor[]): void {
    this.stats.scored += 1;
    let agreed = true;
    for (const { name, datatype, values } of given) {
      const other = outputs.find((tensor) => tensor.name === name)?.values;
      if (other?.length !== values.length) {
        agreed = false;
        continue;
      }
      const exact = !/^FP/.test(datatype);
      for (let at = 0; at < values.length; at++) {
        const [a, b] = [values[at] as TensorValue, other[at] as TensorValue]; // as long
        const difference = exact ? Number.NaN : Math.abs(Number(a) - Number(b));
        if (!Number.isFinite(difference))
          agreed &&= String(a) === String(b); // NaN and infinities are no distance apart, either
        else if (difference > this.stats.largest_difference) this.stats.largest_difference = difference;
      }
    }
    if (agreed) this.stats.agreed += 1;
  }
}
