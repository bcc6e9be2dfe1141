import type { AddressInfo } from "node:net";
import PostalMime, { type Email } from "postal-mime";
import { SMTPServer, type SMTPServerOptions } from "smtp-server";

export interface Delivered extends Email {
  /** As the SMTP dialogue named them. */
  readonly recipients: readonly string[];
  readonly raw: string;
}

export interface Mailbox {
  readonly url: string;
  readonly mails: readonly Delivered[];
  /** What the server says to the next messages; undefined takes them. */
  refuseWith(response: { readonly code: number; readonly message: string } | undefined): void;
  close(): Promise<void>;
}

/** A real SMTP server that keeps what it is sent. */
export async function startMailbox({
  port: wanted = 0,
  ...options
}: SMTPServerOptions & { readonly port?: number } = {}): Promise<Mailbox> {
  const mails: Delivered[] = [];
  let refusal: { readonly code: number; readonly message: string } | undefined;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["STARTTLS"],
    disableReverseLookup: true,
    logger: false,
    onData: (stream, session, done) => {
      const chunks: Buffer[] = [];
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () => {
        if (refusal) return done(Object.assign(new Error(refusal.message), { responseCode: refusal.code }));
        const raw = Buffer.concat(chunks);
        const recipients = session.envelope.rcptTo.map(({ address }) => address);
        PostalMime.parse(raw).then((mail) => {
          mails.push({ ...mail, recipients, raw: raw.toString() });
          done();
        }, done);
      });
    },
    ...options,
  });
  server.on("error", () => undefined); // clients that go away are part of the tests
  await new Promise<void>((listening) => server.listen(wanted, "127.0.0.1", listening));
  const { port } = server.server.address() as AddressInfo;
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    refuseWith: (response) => {
      refusal = response;
    },
    close: () => new Promise((closed) => server.close(() => closed())),
  };
}
