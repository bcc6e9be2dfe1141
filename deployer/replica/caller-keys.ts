import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders } from "node:http";
import { ServiceError } from "../../schema/errors.ts";

/** The keys that callers of a deployment must have, of which a replica knows the hashes. Without any, none is asked for. */
export class CallerKeys {
  #hashes: readonly Buffer[] = [];
  /** Those whose hash was found: hashing every call's would take longer than many a model. */
  readonly #known = new Set<string>();

  constructor(hashes: readonly string[]) {
    this.replace(hashes);
  }

  /** From now on these are asked for, and no others. */
  replace(hashes: readonly string[]): void {
    this.#hashes = hashes.map((hash) => Buffer.from(hash));
    this.#known.clear();
  }

  /** @throws ServiceError `unauthorized`. */
  check({ authorization = "" }: IncomingHttpHeaders): void {
    if (this.#hashes.length === 0) return;
    const key = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
    if (key === undefined)
      throw new ServiceError(
        "unauthorized",
        "this deployment needs a key: send the header Authorization: Bearer <key>",
      );
    if (this.#known.has(key)) return;
    const hash = Buffer.from(`sha256:${createHash("sha256").update(key).digest("hex")}`);
    if (!this.#hashes.some((known) => known.length === hash.length && timingSafeEqual(known, hash)))
      throw new ServiceError("unauthorized", "the key is not one of this deployment's");
    this.#known.add(key);
  }
}
