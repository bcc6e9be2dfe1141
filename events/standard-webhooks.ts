import { createHmac } from "node:crypto";

const SECRET_PREFIX = "whsec_";

/**
 * The headers of a Standard Webhooks message.
 *
 * `webhook-signature` holds one `v1,<base64 HMAC-SHA256 of "id.timestamp.body">` per secret, so that a receiver
 * that knows the old or the new one accepts it while a secret is changed. Without a secret it is left out.
 *
 * @param id - The same at every attempt.
 * @param body - Exactly as it is sent.
 * @param secrets - `whsec_` and base64.
 * @see Standard Webhooks 1.0, https://github.com/standard-webhooks/standard-webhooks
 */
export function webhookHeaders({
  id,
  attemptedAt,
  body,
  secrets,
}: {
  readonly id: string;
  readonly attemptedAt: Date;
  readonly body: string;
  readonly secrets: readonly string[];
}): Record<string, string> {
  const timestamp = String(Math.floor(attemptedAt.getTime() / 1_000));
  const signatures = secrets.map((secret) => `v1,${sign(secret, `${id}.${timestamp}.${body}`)}`);
  return {
    "webhook-id": id,
    "webhook-timestamp": timestamp,
    ...(signatures.length > 0 ? { "webhook-signature": signatures.join(" ") } : {}),
  };
}

function sign(secret: string, content: string): string {
  if (!secret.startsWith(SECRET_PREFIX))
    throw new RangeError(`a webhook secret begins with ${SECRET_PREFIX}`);
  const key = Buffer.from(secret.slice(SECRET_PREFIX.length), "base64");
  return createHmac("sha256", key).update(content).digest("base64");
}
