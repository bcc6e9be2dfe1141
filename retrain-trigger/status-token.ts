import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

/** Tokens of runs begin so, and API keys do not. */
export const RUN_TOKEN_PREFIX = "lwr_";
const TOKEN_BYTES = 32;

/** A new token for the reports on one run. */
export function newRunToken(): string {
  return `${RUN_TOKEN_PREFIX}${randomBytes(TOKEN_BYTES).toString("base64url")}`;
}

/** What is kept of a run's token: enough to know it again, not enough to use it. */
export function tokenHash(token: string): string {
  return createHash("sha256").update(token).digest("hex");
}

/** The run token that an `Authorization` header carries; undefined when it carries none or something else. */
export function runTokenOf(authorization: string | undefined): string | undefined {
  const token = /^Bearer +(\S+)$/i.exec(authorization ?? "")?.[1];
  return token?.startsWith(RUN_TOKEN_PREFIX) ? token : undefined;
}

export function isToken(token: string, hash: string): boolean {
  return timingSafeEqual(Buffer.from(tokenHash(token), "hex"), Buffer.from(hash, "hex"));
}
