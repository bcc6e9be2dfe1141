import { createTransport } from "nodemailer";
import type { DeliveryOutcome } from "../events/delivery.ts";
import { redact, secretsOf } from "../events/redact.ts";

const CONNECT_TIMEOUT_MS = 10_000;
const SOCKET_TIMEOUT_MS = 20_000;

export interface EmailOptions {
  /** `smtp://user:password@host:port` (STARTTLS where offered, `?requireTLS=true` to insist) or `smtps://…`. */
  readonly smtpUrl: string;
  /** Sender where a channel names none. */
  readonly from?: string | undefined;
}

/** A mail as it is kept until it is delivered: everything but the addresses, which the channel knows. */
export interface Mail {
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** Left part of the Message-ID. The same at every attempt, so that mail programs show a repeat once. */
  readonly messageId: string;
  /** Left part of the first mail's Message-ID, on mails that follow it. */
  readonly inReplyTo?: string | undefined;
}

export interface Addresses {
  readonly to: readonly string[];
  readonly from?: string | undefined;
}

/** Sends one mail to one or more addresses. Rejected addresses beside accepted ones are named in the outcome's note. */
export async function sendMail(
  mail: Mail,
  addresses: Addresses,
  { options, signal }: { readonly options: EmailOptions; readonly signal: AbortSignal },
): Promise<DeliveryOutcome> {
  const from = addresses.from ?? senderOf(options);
  const domain = /@([^\s>@]+)>?\s*$/.exec(from)?.[1] ?? "localhost";
  const id = (left: string) => `<${left}@${domain}>`;
  const transport = createTransport({
    url: options.smtpUrl,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    greetingTimeout: CONNECT_TIMEOUT_MS,
    dnsTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SOCKET_TIMEOUT_MS,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  try {
    const { rejected } = await transport.sendMail({
      from,
      to: [...addresses.to],
      subject: mail.subject,
      text: mail.text,
      html: mail.html,
      messageId: id(mail.messageId),
      ...(mail.inReplyTo === undefined
        ? {}
        : { inReplyTo: id(mail.inReplyTo), references: id(mail.inReplyTo) }),
      headers: { "Auto-Submitted": "auto-generated" },
      signal,
    });
    return rejected.length === 0
      ? { result: "delivered" }
      : { result: "delivered", note: `refused for ${rejected.join(", ")}` };
  } catch (error) {
    return failure(error, options, signal);
  } finally {
    transport.close();
  }
}

/** A server that refuses the addresses or the message for good will do so again; anything else may pass or be put right. */
function failure(error: unknown, { smtpUrl }: EmailOptions, signal: AbortSignal): DeliveryOutcome {
  const { host } = new URL(smtpUrl);
  const { message, code, permanent } = error as Error & { code?: string; permanent?: boolean }; // nodemailer's errors
  const why = signal.aborted ? "no answer in time" : redact(message, secretsOf(smtpUrl));
  const said = `mail server ${host}: ${why}`;
  const final = permanent === true && (code === "EENVELOPE" || code === "EMESSAGE");
  return { result: final ? "refused" : "failed", error: said };
}

function senderOf({ smtpUrl, from }: EmailOptions): string {
  if (from !== undefined) return from;
  const user = decodeURIComponent(new URL(smtpUrl).username);
  return user.includes("@") ? user : "leeway@localhost";
}
