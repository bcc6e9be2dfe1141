import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo } from "node:net";
import type { ReplicaPlan } from "../../schema/deployment.ts";
import { ServiceError } from "../../schema/errors.ts";
import { allottedProcessors, threadsFor } from "./allotted-processors.ts";
import { CallerKeys } from "./caller-keys.ts";
import { addCounts, type ScoringCounts } from "./counts.ts";
import {
  describeModel,
  describeRepository,
  describeServer,
  describeServing,
  describeStats,
} from "./describe-replica.ts";
import { connectionsOf, endConnections } from "./end-connections.ts";
import { metricsText } from "./metrics-text.ts";
import type { InferencePlace } from "./model-runner.ts";
import { readBody } from "./read-body.ts";
import { RenewedTls } from "./renewed-tls.ts";
import type { ReplicaLog } from "./replica-log.ts";
import { type Asked, readPath } from "./replica-paths.ts";
import { type ScoredAnswer, Scorer } from "./scorer.ts";
import type { WrittenAnswer } from "./scoring-call.ts";
import type { ServedVersion } from "./served-version.ts";
import { writeError } from "./wire-errors.ts";

const HEADERS_TIMEOUT_MS = 30_000;
const REQUEST_TIMEOUT_MS = 120_000;
/** Longer than the minute after which load balancers let an idle connection go, so that they are the ones to end it. */
const KEEP_ALIVE_MS = 65_000;
const BACKLOG = 1_024;
/** How much scoring may lie between two answers that could be sent. */
const SEND_EVERY_MS = 0.5;

/** Where a replica listens: on an address, or on a socket that somebody else holds. */
export type ListenOn = { readonly host: string; readonly port: number } | { readonly fd: number };

/** How a replica is, for its deployment's status. */
export interface ReplicaState {
  readonly pid: number;
  readonly plan: number;
  readonly in_flight: number;
  readonly resident_bytes: number;
  readonly threads: number;
  readonly uptime_seconds: number;
  /** Of those, for which its event loop had work. */
  readonly loop_seconds: number;
  readonly versions: readonly {
    readonly version: string;
    readonly weight: number;
    readonly inference: InferencePlace;
  }[];
  readonly counts: ScoringCounts;
  readonly capture: Scorer["captureStats"] | null;
  readonly shadow: Scorer["shadowStats"] | null;
}

/** A scoring request whose body is there. */
interface ReadRequest {
  readonly asked: Asked & { readonly what: "score" };
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly body: Uint8Array;
}

export interface ReplicaOptions {
  readonly plan: ReplicaPlan;
  readonly listen: ListenOn;
  /** Of Leeway. */
  readonly version: string;
  readonly log: ReplicaLog;
}

/** A process that answers scoring calls by a plan. It listens once every version is loaded, warm and checked. */
export class Replica {
  readonly #scorer: Scorer;
  readonly #server: Server | TlsServer;
  readonly #connections: ReturnType<typeof connectionsOf>;
  readonly #version: string;
  readonly #threads: number;
  readonly #keys: CallerKeys;
  readonly #tls: RenewedTls | undefined;
  /** What the others of the deployment have counted, those that have ended too. */
  #others: { readonly counts: ScoringCounts; readonly replicas: number } = { counts: {}, replicas: 0 };
  #state: "serving" | "draining" = "serving";
  #unscored: ReadRequest[] = [];
  /** Answers that are to be the last on their connections. */
  #parting = 0;

  private constructor(scorer: Scorer, threads: number, version: string, tls: RenewedTls | undefined) {
    this.#tls = tls;
    this.#scorer = scorer;
    this.#threads = threads;
    this.#version = version;
    this.#keys = new CallerKeys(scorer.plan.auth?.key_hashes ?? []);
    const options = {
      headersTimeout: HEADERS_TIMEOUT_MS,
      requestTimeout: REQUEST_TIMEOUT_MS,
      keepAliveTimeout: KEEP_ALIVE_MS,
    };
    const answer = (request: IncomingMessage, response: ServerResponse) => this.#answer(request, response);
    this.#server = tls
      ? createTlsServer({ ...options, ...tls.options }, answer)
      : createServer(options, answer);
    this.#connections = connectionsOf(this.#server);
  }

  /**
   * @throws ServiceError `unavailable` when a version cannot be served or the address is taken, `invalid-input` when the
   *   files for TLS are not good.
   */
  static async start({ plan, listen, version, log }: ReplicaOptions): Promise<Replica> {
    const threads = plan.threads ?? threadsFor(allottedProcessors() / plan.replicas);
    const tls = plan.tls && new RenewedTls(plan.tls, log);
    const replica = new Replica(await Scorer.load(plan, threads, log), threads, version, tls);
    replica.#server.listen("fd" in listen ? { fd: listen.fd } : { ...listen, backlog: BACKLOG });
    try {
      await once(replica.#server, "listening");
    } catch (error) {
      const where = "fd" in listen ? "the socket it was given" : `${listen.host}:${listen.port}`;
      throw new ServiceError(
        "unavailable",
        `${where} cannot be listened on (${(error as NodeJS.ErrnoException).code})`,
      );
    }
    tls?.keep(replica.#server as TlsServer); // it is one with TLS
    return replica;
  }

  get url(): string {
    const { address, port, family } = this.#server.address() as AddressInfo;
    const host =
      address === "0.0.0.0" || address === "::" ? "127.0.0.1" : family === "IPv6" ? `[${address}]` : address;
    return `${this.#scorer.plan.tls ? "https" : "http"}://${host}:${port}`;
  }

  get state(): ReplicaState {
    const weights = new Map(this.#scorer.weights.map(({ version, weight }) => [version, weight]));
    return {
      pid: process.pid,
      plan: this.#scorer.plan.number,
      in_flight: this.#scorer.inFlight,
      resident_bytes: process.memoryUsage.rss(),
      threads: this.#threads,
      uptime_seconds: process.uptime(),
      loop_seconds: performance.eventLoopUtilization().active / 1000,
      versions: this.#scorer.versions.map(({ version, place }) => ({
        version,
        weight: weights.get(version) ?? 0,
        inference: place,
      })),
      counts: this.#scorer.counts,
      capture: this.#scorer.captureStats ?? null,
      shadow: this.#scorer.shadowStats ?? null,
    };
  }

  /** What the metrics are to hold beside the own counts. */
  tellOthers(others: { readonly counts: ScoringCounts; readonly replicas: number }): void {
    this.#others = others;
  }

  /** Callers keep their connections: a share of them is asked to come anew, so that more replicas get something to do. */
  shareWith(more: number): void {
    this.#server.getConnections((error, count) => {
      if (!error) this.#parting = Math.ceil((count * more) / (more + 1));
    });
  }

  /** Callers must have one of these keys from now on, whatever the plan says; none is asked for when there are none. */
  askForKeys(hashes: readonly string[]): void {
    this.#keys.replace(hashes);
  }

  withdraw(version: string): void {
    this.#scorer.withdraw(version);
  }

  /**
   * Takes no new connection, and answers what comes on those there are, telling each that it is the last answer. Resolves
   * when all are gone, at the latest after `graceMs`.
   */
  async drain(graceMs: number): Promise<void> {
    if (this.#state === "draining") return;
    this.#state = "draining";
    await endConnections(this.#server, { graceMs, connections: this.#connections });
    this.#tls?.end();
    await this.#scorer.close(graceMs);
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const asked = readPath(request.method ?? "GET", request.url ?? "/");
    if (this.#state === "draining") response.shouldKeepAlive = false;
    else if (this.#parting > 0) {
      this.#parting -= 1;
      response.shouldKeepAlive = false;
    }
    try {
      // Whoever checks health has no key.
      if (asked?.what !== "live" && asked?.what !== "ready") this.#keys.check(request.headers);
      if (asked?.what === "score") {
        this.#score(asked, request, response);
        return;
      }
      if (request.method === "POST") request.resume();
      const { headers, body } = this.#tell(asked, request);
      send(response, 200, headers, body);
    } catch (error) {
      refuse(error, asked, request, response);
    }
  }

  #score(
    asked: Asked & { readonly what: "score" },
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    if (asked.model !== undefined) this.#checkModel(asked.model);
    readBody(request, this.#scorer.plan.limits.max_body_bytes, {
      read: (body) => {
        if (this.#unscored.push({ asked, request, response, body }) === 1)
          setImmediate(() => this.#scoreAll());
      },
      failed: (error) => refuse(error, asked, request, response),
    });
  }

  /**
   * Scores what was read in this turn of the event loop, and then answers it: doing the same thing for many requests at a
   * time takes a tenth less than one request after the other. None waits for long: answers are sent as soon as their
   * scoring has taken a moment.
   */
  #scoreAll(): void {
    const requests = this.#unscored;
    this.#unscored = [];
    const scored: (ScoredAnswer | Promise<ScoredAnswer>)[] = [];
    let sent = 0;
    let since = performance.now();
    for (const { asked, request, body } of requests) {
      const { headers } = request;
      const recordId = Scorer.recordIdOf(headers);
      const { protocol, version, label } = asked;
      const count = scored.push(
        this.#scorer.score(protocol, { headers, body }, { version, label, recordId }),
      );
      const now = performance.now();
      if (count < requests.length && now - since < SEND_EVERY_MS) continue;
      for (; sent < count; sent++)
        sendScored(requests[sent] as ReadRequest, scored[sent] as (typeof scored)[0]); // within both
      since = now;
    }
  }

  #tell(asked: Asked | undefined, { method, url = "" }: IncomingMessage): WrittenAnswer {
    switch (asked?.what) {
      case "live":
        return json({ live: true });
      case "ready":
        return json({ ready: true });
      case "server":
        return json(describeServer(this.#version));
      case "models":
        return json({ models: [this.#scorer.plan.model] });
      case "mlflow-version":
        return { headers: { "content-type": "text/plain" }, body: this.#version };
      case "all-stats":
        return json(describeStats(this.#scorer, this.#scorer.versions));
      case "repository":
        return json(describeRepository(this.#scorer));
      case "repository-change":
        throw new ServiceError(
          "invalid-input",
          "what is served here is decided by leeway deploy, not by this call",
        );
      case "metrics":
        return {
          headers: { "content-type": "text/plain; version=0.0.4; charset=utf-8" },
          body: this.#metrics(),
        };
      case "model":
        return json(describeModel(this.#scorer, this.#versionOf(asked)));
      case "model-ready":
        return json({ name: this.#checkModel(asked.model), ready: this.#versionOf(asked) !== undefined });
      case "model-stats":
        return json(describeStats(this.#scorer, this.#versionsOf(asked)));
      case "serving-status":
        return json(describeServing(this.#scorer, this.#versionsOf(asked)));
      default: {
        const { model } = this.#scorer.plan;
        throw new ServiceError(
          "not-found",
          `there is nothing at ${method} ${url.slice(0, 100)}: see /v2/models/${model}/infer, /v1/models/${model}:predict and /invocations`,
        );
      }
    }
  }

  #metrics(): string {
    const counts: ScoringCounts = {};
    addCounts(counts, this.#others.counts);
    addCounts(counts, this.#scorer.counts);
    return metricsText(this.#scorer.plan.deployment, counts, {
      replicas: this.#others.replicas + 1,
      in_flight: this.#scorer.inFlight,
      resident_bytes: process.memoryUsage.rss(),
    });
  }

  /** @throws ServiceError `not-found` for another model than the one that is served. */
  #checkModel(model: string): string {
    const { model: served, deployment } = this.#scorer.plan;
    if (model === served || model === deployment) return served;
    throw new ServiceError(
      "not-found",
      `model "${model.slice(0, 60)}" is not served here: there is ${served}`,
    );
  }

  #versionOf({ model, version }: { readonly model: string; readonly version?: string }): ServedVersion {
    this.#checkModel(model);
    return this.#scorer.version(version);
  }

  #versionsOf(asked: {
    readonly model: string;
    readonly version?: string;
    readonly label?: string;
  }): readonly ServedVersion[] {
    this.#checkModel(asked.model);
    if (asked.label !== undefined) return [this.#scorer.labelled(asked.label)];
    return asked.version === undefined ? this.#scorer.versions : [this.#scorer.version(asked.version)];
  }
}

function json(value: object): WrittenAnswer {
  return { headers: { "content-type": "application/json" }, body: JSON.stringify(value) };
}

function sendScored(
  { response, request, asked }: Omit<ReadRequest, "body">,
  scored: ScoredAnswer | Promise<ScoredAnswer>,
): void {
  if (scored instanceof Promise) {
    scored
      .then((answer) => sendScored({ response, request, asked }, answer))
      .catch((error: unknown) => refuse(error, asked, request, response));
    return;
  }
  send(response, scored.status, scored.headers, scored.body, scored.recordId);
}

function refuse(
  error: unknown,
  asked: Asked | undefined,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const { status, headers, body } = writeError(error, asked?.what === "score" ? asked.protocol : "none");
  if (response.headersSent) response.destroy();
  else send(response, status, headers, body);
  if (!request.complete) request.resume();
}

/** Headers as a flat list: that is what Node takes with the least ado. */
function send(
  response: ServerResponse,
  status: number,
  headers: Readonly<Record<string, string>>,
  body: string | Uint8Array,
  recordId?: string,
): void {
  const list: string[] = [];
  for (const name in headers) list.push(name, headers[name] as string); // own: made by us
  if (recordId !== undefined) list.push("x-leeway-record-id", recordId);
  list.push("content-length", String(typeof body === "string" ? Buffer.byteLength(body) : body.length));
  response.writeHead(status, list);
  response.end(body);
}
