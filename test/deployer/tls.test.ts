import { execFileSync } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { join } from "node:path";
import { connect } from "node:tls";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Replica } from "../../deployer/replica/replica.ts";
import { readTls } from "../../deployer/replica/tls-files.ts";
import type { DeploymentStatus } from "../../schema/deployment.ts";
import { startLeeway } from "../collector/leeway-server.ts";
import { adding, modelFolder, planned, planOf, replicaOn } from "./replica-on.ts";

const haveOpenssl = (() => {
  try {
    execFileSync("openssl", ["version"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
})();

const folder = modelFolder();
const running: Replica[] = [];
afterAll(async () => {
  await Promise.all(running.map((replica) => replica.drain(0)));
  folder.remove();
});

const at = (name: string) => join(folder.path, name);
const openssl = (...args: string[]) => execFileSync("openssl", args, { stdio: "ignore", cwd: folder.path });
const KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];

/** An authority, and a certificate of it for a name. */
function authority(name: string): void {
  openssl("req", "-x509", ...KEY, "-keyout", `${name}.key`, "-out", `${name}.pem`, "-subj", `/CN=${name}`);
}
function signed(name: string, by: string): void {
  writeFileSync(at("san.txt"), "subjectAltName=IP:127.0.0.1");
  openssl("req", "-new", ...KEY, "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
  const files = ["-in", `${name}.csr`, "-out", `${name}.pem`, "-CA", `${by}.pem`, "-CAkey", `${by}.key`];
  openssl("x509", "-req", ...files, "-CAcreateserial", "-extfile", "san.txt");
}

function identityOf(name: string): { readonly cert: Buffer; readonly key: Buffer } {
  return { cert: readFileSync(at(`${name}.pem`)), key: readFileSync(at(`${name}.key`)) };
}

function fingerprintOf(name: string): string {
  return new X509Certificate(readFileSync(at(`${name}.pem`))).fingerprint256;
}

/** Of the certificate that a new connection is shown. */
async function certificateAt(url: string, as: string): Promise<string> {
  const socket = connect({
    host: "127.0.0.1",
    port: Number(new URL(url).port),
    ca: readFileSync(at("ours.pem")),
    ...identityOf(as),
  });
  await once(socket, "secureConnect");
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

/** Status and body, or the code of the error. @param as - Whose certificate the caller has. */
function call(url: string, as?: string, agent: Agent | false = false): Promise<string> {
  const own = as === undefined ? {} : identityOf(as);
  const body = JSON.stringify({ instances: [[1, 2]] });
  return new Promise((resolve) => {
    const asked = request(
      `${url}/v1/models/model:predict`,
      { method: "POST", ca: readFileSync(at("ours.pem")), agent, ...own },
      (response) => {
        let text = "";
        response.on("data", (part) => {
          text += part;
        });
        response.on("end", () => resolve(`${response.statusCode} ${text}`));
      },
    );
    asked.on("error", (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    asked.end(body);
  });
}

const ANSWER = '200 {"predictions":[[2,3]]}';

describe.skipIf(!haveOpenssl)("TLS (its certificates are made with openssl)", () => {
  const files = { cert_file: at("server.pem"), key_file: at("server.key") };
  let model: string;
  beforeAll(() => {
    authority("ours");
    authority("theirs");
    for (const name of ["server", "caller"]) signed(name, "ours");
    signed("stranger", "theirs");
    openssl("ec", "-in", "server.key", "-out", "locked.key", "-aes256", "-passout", "pass:secret");
    model = folder.write("model.onnx", adding(1));
  });

  it("a replica scores over it, with and without certificates of callers", async () => {
    const version = await planned({ model_file: model });
    const start = async (tls: Parameters<typeof readTls>[0]) => {
      const replica = await replicaOn(planOf([version], { tls }));
      running.push(replica);
      return replica.url;
    };
    const open = await start(files);
    expect(open).toMatch(/^https:/);
    expect(await call(open)).toBe(ANSWER);

    const mutual = await start({ ...files, client_ca_file: at("ours.pem") });
    expect(await call(mutual, "caller")).toBe(ANSWER);
    for (const refused of [await call(mutual), await call(mutual, "stranger")])
      expect(refused).toMatch(/^(?:ECONNRESET|ERR_SSL_\w+|EPIPE)$/);
    expect(await call(mutual, "caller")).toBe(ANSWER);
    expect((await fetch(mutual.replace("https", "http")).catch((error: Error) => error)).constructor).toBe(
      TypeError,
    );
  });

  it("certificates that are renewed are used for new connections, once they are good, and no call fails", async () => {
    const renewed = {
      cert_file: at("renewed.pem"),
      key_file: at("renewed.key"),
      client_ca_file: at("callers.pem"),
    };
    const write = (name: string, part: "pem" | "key") =>
      writeFileSync(at(`renewed.${part}`), readFileSync(at(`${name}.${part}`)));
    write("server", "pem");
    write("server", "key");
    writeFileSync(at("callers.pem"), readFileSync(at("ours.pem")));
    const logged: string[] = [];
    const version = await planned({ model_file: model });
    const replica = await Replica.start({
      plan: planOf([version], { tls: renewed }),
      listen: { host: "127.0.0.1", port: 0 },
      version: "0",
      log: (level, message, { why } = {}) => logged.push(`${level} ${message} ${why ?? ""}`.trim()),
    });
    running.push(replica);
    const shown = () => certificateAt(replica.url, "caller");
    expect(await shown()).toBe(fingerprintOf("server"));

    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const kept = () => call(replica.url, "caller", agent);
    expect(await kept()).toBe(ANSWER);
    const answers: string[] = [];
    let state: "calling" | "done" = "calling";
    const calls = (async () => {
      while (state === "calling") answers.push(await call(replica.url, "caller"));
    })();

    signed("next", "ours");
    write("next", "pem");
    await expect.poll(() => logged, { timeout: 10_000 }).toHaveLength(1);
    expect(await shown()).toBe(fingerprintOf("server"));
    write("next", "key");
    await expect.poll(shown, { timeout: 10_000 }).toBe(fingerprintOf("next"));
    state = "done";
    await calls;
    expect(new Set(answers)).toEqual(new Set([ANSWER]));
    expect(await kept()).toBe(ANSWER); // as it began
    agent.destroy();

    // Callers of another authority are asked for now: those of the first one are not let in any more.
    writeFileSync(at("callers.pem"), readFileSync(at("theirs.pem")));
    await expect.poll(() => call(replica.url, "stranger"), { timeout: 10_000 }).toBe(ANSWER);
    expect(await call(replica.url, "caller")).not.toBe(ANSWER);
    expect(logged).toEqual([
      `warn the certificate is not renewed, the one before stays tls.key_file ${at("renewed.key")} is not the key of ${at("renewed.pem")}`,
      "info the certificate was renewed",
      "info the certificate was renewed",
    ]);
  });

  it("a deployment has an address with https, and files that are not good are told at once", async () => {
    const server = await startLeeway(at("data"));
    try {
      const form = new FormData();
      form.set("name", "model");
      form.set("file", new Blob([readFileSync(model) as Uint8Array<ArrayBuffer>]), "model.onnx");
      await fetch(`${server.url}/v1/models`, { method: "POST", body: form });
      const put = async (tls: object) => {
        const spec = {
          model: "model",
          versions: [{ version: "1", weight: 100 }],
          capture: { enabled: false },
          tls,
        };
        return fetch(`${server.url}/v1/deployments/safe`, {
          method: "PUT",
          headers: { "content-type": "application/json" },
          body: JSON.stringify(spec),
        });
      };
      const refused = await put({ ...files, key_file: at("caller.key") });
      expect([refused.status, ((await refused.json()) as { detail: string }).detail]).toEqual([
        400,
        `tls.key_file ${at("caller.key")} is not the key of ${at("server.pem")}`,
      ]);
      const made = (await (await put(files)).json()) as DeploymentStatus;
      expect(made.status.url).toMatch(/^https:/);
      expect(await call(made.status.url)).toBe(ANSWER);
      await fetch(`${server.url}/v1/deployments/safe`, { method: "DELETE" });
    } finally {
      await server.kill("SIGTERM");
    }
  });

  it.each([
    {
      tls: { ...files, cert_file: at("none.pem") },
      says: `tls.cert_file ${at("none.pem")} cannot be read (ENOENT)`,
    },
    {
      tls: { ...files, cert_file: at("server.key") },
      says: `tls.cert_file ${at("server.key")} holds no certificate in PEM`,
    },
    { tls: { ...files, key_file: folder.path }, says: `tls.key_file ${folder.path} cannot be read (EISDIR)` },
    {
      tls: { ...files, key_file: at("server.pem") },
      says: `tls.key_file ${at("server.pem")} holds no private key in PEM`,
    },
    {
      tls: { ...files, key_file: at("locked.key") },
      says: `tls.key_file ${at("locked.key")} is encrypted: give a key without a passphrase, which only its owner can read`,
    },
    {
      tls: { ...files, client_ca_file: at("san.txt") },
      says: `tls.client_ca_file ${at("san.txt")} holds no certificate in PEM`,
    },
  ])("$says", ({ tls, says }) => {
    expect(() => readTls(tls)).toThrow(says);
  });
});
