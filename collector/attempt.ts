/** Answers from here on are errors. */
const LEAST_ERROR = 400;
/** No row has it: rows are whole numbers below 2^31. */
const FAILED = 0x80000000;

/** Whether a call with this status has no prediction. Its records are kept whatever the sample. */
export function isFailed(status: number): boolean {
  return status >= LEAST_ERROR;
}

/**
 * What stands for the row in the key of a record. Who failed tries again, often under the same id: a record of the call that
 * failed and one of that which went well do not take each other's place, and ground truth, whose key has the row itself, is
 * that of the latter.
 */
export function keyRow(row: number, status: number): number {
  return isFailed(status) ? failedRow(row) : row;
}

/** As `keyRow`, of a call that failed. */
export function failedRow(row: number): number {
  return row | FAILED;
}
