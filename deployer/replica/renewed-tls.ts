import { statSync } from "node:fs";
import type { Server as TlsServer } from "node:https";
import type { ServingTls } from "../../schema/deployment.ts";
import type { ReplicaLog } from "./replica-log.ts";
import { readTls, type TlsOptions } from "./tls-files.ts";

/** Three times `stat`: nothing against a call. Watching a file would miss one that a link is moved to. */
const LOOK_EVERY_MS = 1_000;

/** The certificate and key of a server, which may be renewed while it runs. */
export class RenewedTls {
  /** To make the server with. */
  readonly options: TlsOptions;
  readonly #files: ServingTls;
  readonly #log: ReplicaLog;
  #used: string;
  #complaint: string | undefined;
  #looks: NodeJS.Timeout | undefined;

  /** @throws ServiceError `invalid-input` when the files are not good. */
  constructor(files: ServingTls, log: ReplicaLog) {
    this.#files = files;
    this.#log = log;
    this.#used = stateOf(files); // before they are read: what changes in between is seen later
    this.options = readTls(files);
  }

  /**
   * Has the server use what is renewed, for connections from then on. As long as new files are not good, such as a
   * certificate whose key has not been written yet, those before stay.
   */
  keep(server: TlsServer): void {
    this.#looks = setInterval(() => this.#look(server), LOOK_EVERY_MS);
    this.#looks.unref();
  }

  end(): void {
    clearInterval(this.#looks);
  }

  #look(server: TlsServer): void {
    const now = stateOf(this.#files);
    if (now === this.#used) return;
    try {
      server.setSecureContext(readTls(this.#files));
      this.#used = now;
      this.#complaint = undefined;
      this.#log("info", "the certificate was renewed", { file: this.#files.cert_file });
    } catch (error) {
      const why = (error as Error).message;
      if (why !== this.#complaint)
        this.#log("warn", "the certificate is not renewed, the one before stays", { why });
      this.#complaint = why;
    }
  }
}

/** Differs when one of the files, or where a link leads, does. */
function stateOf({ cert_file, key_file, client_ca_file }: ServingTls): string {
  const files = [cert_file, key_file, ...(client_ca_file === undefined ? [] : [client_ca_file])];
  return files.map(stateOfFile).join(" ");
}

function stateOfFile(file: string): string {
  try {
    const { ino, size, mtimeNs } = statSync(file, { bigint: true });
    return [ino, size, mtimeNs].join(":");
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code); // reading it says the same
  }
}
