import { ServiceError } from "../schema/errors.ts";

/** Where the next page begins, as text that means nothing to the caller. */
export function cursorOf(value: string | number): string {
  return Buffer.from(String(value)).toString("base64url");
}

/** @throws ServiceError `invalid-input` for what no answer has given. */
export function readCursor(cursor: string | undefined): string | undefined {
  if (cursor === undefined) return undefined;
  const value = Buffer.from(cursor, "base64url").toString();
  if (value !== "" && cursorOf(value) === cursor) return value;
  throw new ServiceError(
    "invalid-input",
    "the cursor is none that an answer has given: leave it out to begin anew",
  );
}

/** As `readCursor`, of a cursor that counts. */
export function readCount(cursor: string | undefined): number | undefined {
  const value = readCursor(cursor);
  if (value === undefined) return undefined;
  if (/^\d{1,15}$/.test(value)) return Number(value);
  throw new ServiceError(
    "invalid-input",
    "the cursor is none that an answer has given: leave it out to begin anew",
  );
}
