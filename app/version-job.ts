import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { ApiClient } from "./api-client.ts";
import { path } from "./commands/command.ts";
import { userName } from "./user-name.ts";

/** A third of the time for which a server believes in it. */
const SAY_AGAIN_MS = 20_000;
const SIGNALS = ["SIGINT", "SIGTERM"] as const;

/** What a command does with a version that it has fetched. */
export interface VersionJob {
  /** From now on the server does not delete the version. */
  begin(client: ApiClient, of: { readonly model: string; readonly version: string }): Promise<void>;
  /** It may be deleted again. */
  end(): Promise<void>;
}

/**
 * Has the server keep a version while a command works with it. A server that cannot be told is no failure: the command has
 * the files, or says itself what is wrong.
 *
 * @param what - In a few words, such as `batch scoring`; user and machine are added.
 */
export function versionJob(what: string): VersionJob {
  const said = JSON.stringify({
    what: `${what} of ${userName() ?? "somebody"} on ${hostname()}`.slice(0, 200),
  });
  const id = randomUUID();
  let stop: (() => Promise<void>) | undefined;
  return {
    async begin(client, { model, version }) {
      const where = path`/v1/models/${model}/versions/${version}/jobs/${id}`;
      const headers = { "content-type": "application/json" };
      const say = () =>
        client.call({ method: "PUT", path: where, headers, body: said }).then(
          () => undefined,
          () => undefined,
        );
      const again = setInterval(say, SAY_AGAIN_MS);
      again.unref();
      const stopped = (signal: NodeJS.Signals) =>
        void this.end().finally(() => {
          // What the signal does without this, unless somebody else sees to it.
          if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
        });
      for (const signal of SIGNALS) process.once(signal, stopped);
      stop = async () => {
        clearInterval(again);
        for (const signal of SIGNALS) process.off(signal, stopped);
        await client.call({ method: "DELETE", path: where }).catch(() => undefined);
      };
      await say();
    },
    async end() {
      const stopNow = stop;
      stop = undefined;
      await stopNow?.();
    },
  };
}
