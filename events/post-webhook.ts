import { lookup as resolve } from "node:dns";
import { type IncomingMessage, type RequestOptions, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { isIP, type LookupFunction } from "node:net";
import type { WebhookTarget } from "../schema/alert.ts";
import type { DeliveryOutcome } from "./delivery.ts";
import { type PrivateAddresses, refusal } from "./private-address.ts";
import { originOf, redact, secretsOf } from "./redact.ts";
import { retryAfterMs } from "./retry-schedule.ts";
import { webhookHeaders } from "./standard-webhooks.ts";

export interface Webhook {
  readonly target: Pick<WebhookTarget, "url" | "secret" | "previous_secret">;
  /** The same at every attempt. */
  readonly id: string;
  readonly contentType: string;
  readonly body: string;
}

export interface PostOptions {
  readonly privateAddresses: PrivateAddresses;
  readonly signal: AbortSignal;
  readonly now: () => Date;
}

/**
 * Posts a Standard Webhooks message once and says what came of it. Redirects are not followed, and the address
 * that is connected to is the one that was checked, so a name cannot point elsewhere in between.
 */
export async function postWebhook(webhook: Webhook, options: PostOptions): Promise<DeliveryOutcome> {
  const { url, secret, previous_secret } = webhook.target;
  const secrets = [secret, previous_secret].filter((known) => known !== undefined);
  const where = originOf(url);
  try {
    const response = await post(webhook, secrets, options);
    return outcomeOf(response, where, options.now());
  } catch (error) {
    const why = options.signal.aborted ? reasonOf(options.signal) : messageOf(error);
    return { result: "failed", error: `${where}: ${redact(why, [...secrets, ...secretsOf(url)])}` };
  }
}

function post(
  { target, id, contentType, body }: Webhook,
  secrets: readonly string[],
  { privateAddresses, signal, now }: PostOptions,
): Promise<IncomingMessage> {
  const url = new URL(target.url);
  const literal = url.hostname.replace(/^\[|\]$/g, "");
  if (isIP(literal) !== 0) throwIfRefused([literal], privateAddresses);
  const options: RequestOptions = {
    method: "POST",
    signal,
    agent: false,
    lookup: checkedLookup(privateAddresses),
    headers: {
      "content-type": contentType,
      "content-length": Buffer.byteLength(body),
      "user-agent": "leeway",
      ...webhookHeaders({ id, attemptedAt: now(), body, secrets }),
    },
  };
  return new Promise((accept, reject) => {
    const send = url.protocol === "https:" ? requestHttps : requestHttp;
    const request = send(url, options, (response) => {
      response.on("error", () => undefined); // the status is known: what happens to the rest changes nothing
      response.resume();
      accept(response);
    });
    request.on("error", reject);
    request.end(body);
  });
}

function outcomeOf(response: IncomingMessage, where: string, now: Date): DeliveryOutcome {
  const status = response.statusCode ?? 0;
  if (status >= 200 && status < 300) return { result: "delivered", status };
  if (status === 410) return { result: "gone", status, error: `${where} answered 410 Gone` };
  if (status >= 300 && status < 400) {
    return {
      result: "failed",
      status,
      error: `${where} answered ${status}: redirects are not followed, set the final address`,
    };
  }
  const wait = retryAfterMs(response.headers["retry-after"], now);
  return {
    result: "failed",
    status,
    error: `${where} answered ${status}`,
    ...(wait === undefined ? {} : { retryAfterMs: wait }),
  };
}

/** Resolves a name for a connection, and fails when any of its addresses is refused. */
function checkedLookup(privateAddresses: PrivateAddresses): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error) return callback(error, "");
      try {
        throwIfRefused(
          addresses.map(({ address }) => address),
          privateAddresses,
        );
      } catch (refused) {
        return callback(refused as NodeJS.ErrnoException, "");
      }
      const [first] = addresses;
      if (options.all) return callback(null, addresses);
      return callback(null, first?.address ?? "", first?.family);
    });
  };
}

function throwIfRefused(addresses: readonly string[], privateAddresses: PrivateAddresses): void {
  for (const address of addresses) {
    const why = refusal(address, privateAddresses);
    if (why) throw new Error(`refused: ${why}`);
  }
}

function reasonOf({ reason }: AbortSignal): string {
  return reason instanceof Error && reason.name === "TimeoutError" ? "no answer in time" : "stopped";
}

/** A connection error to a name with several addresses holds one error each and an empty message of its own. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join("; ");
  return error instanceof Error ? error.message : String(error);
}
