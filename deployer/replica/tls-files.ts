import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import type { ServingTls } from "../../schema/deployment.ts";
import { ServiceError } from "../../schema/errors.ts";

/** What a server with TLS is made with. */
export interface TlsOptions {
  readonly cert: string;
  readonly key: string;
  /** Whoever signs the certificates that callers must have. */
  readonly ca?: string;
  readonly requestCert?: true;
  readonly rejectUnauthorized?: true;
}

/** The files by whole paths: a replica runs in another folder than whoever named them. */
export function tlsFrom({ cert_file, key_file, client_ca_file }: ServingTls, folder: string): ServingTls {
  return {
    cert_file: resolve(folder, cert_file),
    key_file: resolve(folder, key_file),
    ...(client_ca_file === undefined ? {} : { client_ca_file: resolve(folder, client_ca_file) }),
  };
}

const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Reads the files that TLS needs and looks whether they go together, which a handshake would only tell its caller.
 *
 * @throws ServiceError `invalid-input`, naming the file and what is wrong with it.
 */
export function readTls({ cert_file, key_file, client_ca_file }: ServingTls): TlsOptions {
  const cert = textOf("tls.cert_file", cert_file);
  const [first] = certificatesOf("tls.cert_file", cert_file, cert);
  const key = textOf("tls.key_file", key_file);
  if (!first.checkPrivateKey(privateKey(key_file, key)))
    throw new ServiceError("invalid-input", `tls.key_file ${key_file} is not the key of ${cert_file}`);
  if (client_ca_file === undefined) return { cert, key };
  const ca = textOf("tls.client_ca_file", client_ca_file);
  certificatesOf("tls.client_ca_file", client_ca_file, ca);
  return { cert, key, ca, requestCert: true, rejectUnauthorized: true };
}

function textOf(what: string, path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw new ServiceError(
      "invalid-input",
      `${what} ${path} cannot be read (${(error as NodeJS.ErrnoException).code})`,
    );
  }
}

function certificatesOf(what: string, path: string, text: string): [X509Certificate, ...X509Certificate[]] {
  try {
    const [first, ...others] = text.match(CERTIFICATE) ?? [];
    if (first !== undefined)
      return [new X509Certificate(first), ...others.map((pem) => new X509Certificate(pem))];
  } catch {
    // said below
  }
  throw new ServiceError("invalid-input", `${what} ${path} holds no certificate in PEM`);
}

function privateKey(path: string, text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    const why = /ENCRYPTED/.test(text)
      ? "is encrypted: give a key without a passphrase, which only its owner can read"
      : "holds no private key in PEM";
    throw new ServiceError("invalid-input", `tls.key_file ${path} ${why}`);
  }
}
