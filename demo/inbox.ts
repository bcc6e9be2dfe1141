import PostalMime from "postal-mime";
import { SMTPServer } from "smtp-server";

/** A mail that arrived. */
export interface Mail {
  readonly to: readonly string[];
  readonly subject: string;
  readonly text: string;
}

export interface Inbox {
  /** `smtp://127.0.0.1:…` */
  readonly url: string;
  readonly mails: readonly Mail[];
  /** The first mail, among those that came and those to come, that is wanted; `undefined` when none comes in time. */
  waitFor(wanted: (mail: Mail) => boolean, timeoutMs: number): Promise<Mail | undefined>;
  close(): Promise<void>;
}

/** A mail server on this machine that keeps what it is sent: whoever is on call reads it here. */
export async function openInbox(): Promise<Inbox> {
  const mails: Mail[] = [];
  const waiting = new Set<() => void>();
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ["AUTH", "STARTTLS"], // it never leaves loopback
    logger: false,
    onData: (stream, session, done) => {
      read(stream).then(
        ({ subject = "", text = "" }) => {
          mails.push({ to: session.envelope.rcptTo.map(({ address }) => address), subject, text });
          for (const look of [...waiting]) look();
          done();
        },
        (error: Error) => done(error),
      );
    },
  });
  await new Promise<void>((resolve, reject) => {
    server.on("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  return {
    url: `smtp://127.0.0.1:${port}`,
    mails,
    waitFor: (wanted, timeoutMs) =>
      new Promise((resolve) => {
        const end = (mail: Mail | undefined) => {
          clearTimeout(timer);
          waiting.delete(look);
          resolve(mail);
        };
        const timer = setTimeout(() => end(undefined), timeoutMs);
        const look = () => {
          const found = mails.find(wanted);
          if (found) end(found);
        };
        waiting.add(look);
        look();
      }),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

async function read(
  stream: NodeJS.ReadableStream,
): Promise<{ readonly subject?: string | undefined; readonly text?: string | undefined }> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return PostalMime.parse(Buffer.concat(chunks));
}
