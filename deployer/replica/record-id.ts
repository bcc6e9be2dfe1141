import { V7Generator } from "uuidv7";

/** An id need not be hard to guess, and a source of randomness that is costs as much as the rest of the answer. */
const generator = new V7Generator({ nextUint32: () => Math.trunc(Math.random() * 0x1_0000_0000) });

/** A UUIDv7, later ones sorting after earlier ones. */
export function newRecordId(): string {
  return generator.generate().toString();
}
