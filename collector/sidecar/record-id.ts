/** A longer one is not taken by the collector. */
export const LONGEST_ID = 512;

/**
 * The id of a call that failed and was named by its caller. Who failed tries again, often under the same id, and of records of
 * one name the first that failed and the first that went well are stored: this way every attempt is.
 *
 * @param unique - Text whose last characters are random.
 * @example
 * failedId("order-17", "8f14e45f-ceea-467f-9575-6a3c00d1b2e4"); // "order-17#00d1b2e4"
 */
export function failedId(id: string, unique: string): string {
  const mark = `#${unique.slice(-8)}`;
  return `${id.slice(0, LONGEST_ID - mark.length)}${mark}`;
}
