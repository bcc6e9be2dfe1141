import type { z } from "zod";
import type { shownWebhook, WebhookTarget } from "../schema/alert.ts";

const MASK = "***";
/** A path segment of this length is taken for a token, as in the addresses of chat services. */
const TOKEN_LENGTH = 20;

/** An address as answers show it: password, query values and token-like parts of the path masked. */
export function maskUrl(address: string): string {
  if (!URL.canParse(address)) return MASK;
  const url = new URL(address);
  const userinfo = url.username || url.password ? `${MASK}:${MASK}@` : "";
  const path = url.pathname
    .split("/")
    .map((segment) => (segment.length >= TOKEN_LENGTH ? MASK : segment))
    .join("/");
  const query = [...url.searchParams.keys()].map((key) => `${encodeURIComponent(key)}=${MASK}`).join("&");
  return `${url.protocol}//${userinfo}${url.host}${path}${query ? `?${query}` : ""}`;
}

/** Scheme, host and port: what errors and logs may say of an address. */
export function originOf(address: string): string {
  if (!URL.canParse(address)) return MASK;
  const { protocol, host } = new URL(address);
  return `${protocol}//${host}`;
}

/** The parts of an address that are, or may be, secret: user, password, path and query, each also decoded and as basic authentication sends them. */
export function secretsOf(address: string): string[] {
  if (!URL.canParse(address)) return [address];
  const url = new URL(address);
  const user = decoded(url.username);
  const password = decoded(url.password);
  const basic = password ? [base64(`${user}:${password}`), base64(`\u0000${user}\u0000${password}`)] : [];
  return [
    address,
    url.pathname.length > 1 ? url.pathname : "",
    url.search,
    ...[...url.searchParams.values()],
    url.password,
    password,
    base64(password),
    ...basic,
  ];
}

/** The text with every secret in it masked; texts shorter than 4 characters are too common to look for. */
export function redact(text: string, secrets: readonly string[]): string {
  return [...secrets]
    .filter((secret) => secret.length >= 4)
    .sort((a, b) => b.length - a.length) // the whole before its parts
    .reduce((masked, secret) => masked.replaceAll(secret, MASK), text);
}

/** A webhook target as answers show it. */
export function maskWebhook({
  type,
  url,
  secret,
  previous_secret,
}: WebhookTarget): z.infer<typeof shownWebhook> {
  return {
    type,
    url: maskUrl(url),
    ...(secret === undefined ? {} : { secret: `whsec_${MASK}` }),
    ...(previous_secret === undefined ? {} : { previous_secret: `whsec_${MASK}` }),
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray percent sign: as it stands
  }
}

function base64(text: string): string {
  return text === "" ? "" : Buffer.from(text).toString("base64");
}
