import { createServer } from "node:http";
import { BackgroundThread, type SidecarLog } from "./background-thread.ts";
import { Counters } from "./counters.ts";
import { metricsText } from "./metrics-text.ts";
import type { SidecarOptions } from "./options.ts";
import { listenOn, startProxy, urlOf } from "./proxy.ts";
import { Recorder } from "./recorder.ts";

/** Calls that were long in ending must not cost the records: these go to disk at least. */
const LEAST_DRAIN_MS = 1_000;

export interface Sidecar {
  /** Where calls go. */
  readonly url: string;
  /** Where `/metrics` and `/healthz` are. */
  readonly adminUrl: string;
  /** Finishes the calls under way, then sends or spools what was captured. */
  close(): Promise<void>;
}

/** Starts to pass calls on. @throws ServiceError `unavailable` when a port cannot be had. */
export async function startSidecar(options: SidecarOptions, log: SidecarLog): Promise<Sidecar> {
  const counters = new Counters();
  const recorder: Recorder = new Recorder(options, counters, (call, heldBytes) =>
    background.hand(call, heldBytes),
  );
  const background = new BackgroundThread(options, {
    counters,
    release: (heldBytes) => recorder.release(heldBytes),
    log,
  });
  let admin: Awaited<ReturnType<typeof startAdmin>> | undefined;
  try {
    await background.started;
    admin = await startAdmin(options, counters);
    const { url, close } = admin;
    const proxy = await startProxy(options, recorder, counters);
    return {
      url: proxy.url,
      adminUrl: url,
      close: async () => {
        const deadline = performance.now() + options.drainMs;
        await proxy.close(options.drainMs);
        await background.close(Math.max(LEAST_DRAIN_MS, deadline - performance.now()));
        close();
      },
    };
  } catch (error) {
    admin?.close();
    await background.close(0);
    throw error;
  }
}

async function startAdmin(
  { admin, model, spoolBytes }: SidecarOptions,
  counters: Counters,
): Promise<{ readonly url: string; readonly close: () => void }> {
  const server = createServer((request, response) => {
    const path = request.url?.split("?")[0];
    if (request.method !== "GET" && request.method !== "HEAD") {
      response.writeHead(405, { allow: "GET, HEAD" }).end();
    } else if (path === "/metrics") {
      const text = metricsText(counters, { model, spoolBytes, now: new Date() });
      response.writeHead(200, { "content-type": "text/plain; version=0.0.4; charset=utf-8" }).end(text);
    } else if (path === "/healthz" || path === "/readyz") {
      response.writeHead(200, { "content-type": "application/json" }).end('{"status":"ok"}');
    } else {
      response
        .writeHead(404, { "content-type": "text/plain" })
        .end("there are /metrics, /healthz and /readyz\n");
    }
  });
  await listenOn(server, admin, "--admin");
  return {
    url: urlOf(server, admin),
    close: () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
