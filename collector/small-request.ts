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
