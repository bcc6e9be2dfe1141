import { createHash, timingSafeEqual } from "node:crypto";

/** What is kept of a run's token: enough to know it again, not enough to use it. */
export function tokenHash(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** Whether an `Authorization` header carries the token of that hash. */
export function carriesToken(authorization: string | undefined, hash: string): boolean {
  const token = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
  if (token === undefined) return false;
  return timingSafeEqual(Buffer.from(tokenHash(token), "hex"), Buffer.from(hash, "hex"));
}
