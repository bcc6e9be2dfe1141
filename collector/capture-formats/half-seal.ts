import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";
import type { HalfSeal } from "../../store/capture-halves.ts";
import type { CollectSettings } from "../collect-settings.ts";

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const KEY_BYTES = 32;

/**
 * Seals halves of calls of models whose values are redacted: what is to be redacted can only be told once both halves are
 * there, and until then no plain value may lie on the disk. AES-256-GCM, with a key made from `redact_key`; without one, with a
 * key of this process, so that halves that wait when it ends are lost.
 */
export function halfSeal({ models, redactKey }: CollectSettings): HalfSeal {
  const key =
    redactKey === undefined
      ? randomBytes(KEY_BYTES)
      : Buffer.from(hkdfSync("sha256", redactKey, "", "leeway captured halves", KEY_BYTES));
  return {
    covers: (model) => Object.hasOwn(models, model) && (models[model]?.redact ?? []).length > 0,
    seal: (bytes) => {
      const nonce = randomBytes(NONCE_BYTES);
      const cipher = createCipheriv("aes-256-gcm", key, nonce);
      return Buffer.concat([nonce, cipher.update(bytes), cipher.final(), cipher.getAuthTag()]);
    },
    open: (sealed) => {
      if (sealed.length < NONCE_BYTES + TAG_BYTES) return undefined;
      const decipher = createDecipheriv("aes-256-gcm", key, sealed.subarray(0, NONCE_BYTES));
      decipher.setAuthTag(sealed.subarray(sealed.length - TAG_BYTES));
      try {
        const body = sealed.subarray(NONCE_BYTES, sealed.length - TAG_BYTES);
        return Buffer.concat([decipher.update(body), decipher.final()]);
      } catch {
        return undefined; // sealed with another key
      }
    },
  };
}
