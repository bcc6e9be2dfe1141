import { createServer, type IncomingMessage } from "node:http";
import { Webhook, WebhookVerificationError } from "standardwebhooks";
import { z } from "zod";
import type { RetrainReport } from "../schema/retrain.ts";
import { codeState } from "./code-state.ts";
import { type CollectedFlight, readCollected } from "./collected.ts";
import { type Evaluation, evaluateModel } from "./evaluate.ts";
import { type LateModel, trainModel } from "./model.ts";

const DAY_MS = 86_400_000;
/** The newest week of the window, each weekday once: the new model is tried on it before it is trained on all. */
const HELD_OUT_DAYS = 7;

/** What the trainer reads of the request; the whole is a CloudEvent of type dev.leeway.retrain.requested. */
const retrainEvent = z.object({
  data: z.object({
    run_id: z.string(),
    model: z.string(),
    reason: z.string(),
    data: z.object({ from: z.string(), to: z.string(), parquet_url: z.url() }),
    status_url: z.url(),
    status_token: z.string(),
  }),
});
type Request = z.infer<typeof retrainEvent>["data"];

const driftAnswer = z.object({
  windows: z.array(
    z.object({ from: z.string(), to: z.string(), dataset: z.object({ verdict: z.string() }) }),
  ),
});

/** A model that came out of a run, and what it learned from. */
export interface Candidate {
  readonly run: string;
  /** The version it went on from. */
  readonly parent: string;
  readonly datasetHash: string;
  readonly model: LateModel;
  readonly flights: readonly CollectedFlight[];
  readonly before: Evaluation;
  readonly after: Evaluation;
  readonly outcome: "better" | "worse";
}

export interface Trainer {
  /** Where Leeway sends its requests. */
  readonly url: string;
  close(): Promise<void>;
}

export interface TrainerOptions {
  readonly secret: string;
  /** The monitor whose data faults are left out of the training data. */
  readonly monitor: string;
  readonly inProduction: () => { readonly version: string; readonly model: LateModel };
  /** Has the new model serve, before the run is reported as completed; answers its version. */
  readonly deploy: (candidate: Candidate) => Promise<string>;
  readonly say: (text: string) => void;
}

/** A small training service: takes Leeway's signed request, trains on the window's data and reports on the run's own address. */
export async function openTrainer(options: TrainerOptions): Promise<Trainer> {
  const webhook = new Webhook(options.secret);
  const runs = new Set<string>(); // a request is delivered at least once, a run is trained once
  const server = createServer((request, response) => {
    receive(request, webhook).then(
      (asked) => {
        response.writeHead(202).end();
        if (runs.has(asked.run_id)) return;
        runs.add(asked.run_id);
        train(asked, options).catch((error: unknown) =>
          options.say(`The trainer could not report: ${messageOf(error)}`),
        );
      },
      (error: unknown) => response.writeHead(error instanceof WebhookVerificationError ? 401 : 400).end(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  const port = address !== null && typeof address === "object" ? address.port : 0;
  return {
    url: `http://127.0.0.1:${port}/retrain`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** @throws WebhookVerificationError when the request is not signed with the secret both sides know. */
async function receive(request: IncomingMessage, webhook: Webhook): Promise<Request> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const header = (name: string) => String(request.headers[name] ?? "");
  const event = webhook.verify(Buffer.concat(chunks).toString("utf8"), {
    "webhook-id": header("webhook-id"),
    "webhook-timestamp": header("webhook-timestamp"),
    "webhook-signature": header("webhook-signature"),
  });
  return retrainEvent.parse(event).data;
}

async function train(asked: Request, options: TrainerOptions): Promise<void> {
  try {
    await report(asked, { status: "started" });
    const { flights, sha256 } = await readCollected(asked.data.parquet_url);
    const faulty = await faultyDays(asked, options.monitor);
    const usable = flights.filter(({ time }) => !faulty.has(dayOf(time)));
    const current = options.inProduction();
    const candidate = {
      ...trial(usable, { to: new Date(asked.data.to), current }),
      run: asked.run_id,
      parent: current.version,
      datasetHash: `sha256:${sha256}`,
    };
    options.say(
      `Trainer: ${usable.length} labelled flights downloaded, ${faulty.size === 0 ? "no day" : [...faulty].join(" and ")} left out as a data fault. ` +
        `On the last ${HELD_OUT_DAYS} days, held out: ${compared(candidate)}.`,
    );
    const version = candidate.outcome === "better" ? await options.deploy(candidate) : undefined;
    await report(asked, {
      status: "completed",
      message:
        version !== undefined
          ? `better on the last ${HELD_OUT_DAYS} days, which were held out: version ${version} is a canary now`
          : `not better on the last ${HELD_OUT_DAYS} days, which were held out; version ${current.version} stays`,
      ...(version === undefined ? {} : { version }),
      metrics: {
        held_out_flights: candidate.after.flights,
        auc: candidate.after.auc,
        log_loss: candidate.after.log_loss,
        previous_auc: candidate.before.auc,
        previous_log_loss: candidate.before.log_loss,
      },
      data: {
        rows: usable.length,
        from: asked.data.from,
        to: asked.data.to,
        parquet_sha256: sha256,
        days_left_out: [...faulty],
      },
      environment: { node: process.version },
      parameters: { held_out_days: HELD_OUT_DAYS, goes_on_from_version: current.version },
      ...(await codeState()),
    });
  } catch (error) {
    await report(asked, { status: "failed", message: messageOf(error) });
  }
}

/**
 * Trains twice: once without the newest days, to compare with the model in production on them, and once on all.
 * The new model is better when its log loss there is lower.
 */
function trial(
  flights: readonly CollectedFlight[],
  {
    to,
    current,
  }: { readonly to: Date; readonly current: { readonly version: string; readonly model: LateModel } },
): Omit<Candidate, "run" | "parent" | "datasetHash"> {
  const split = new Date(to.getTime() - HELD_OUT_DAYS * DAY_MS);
  const heldOut = flights.filter(({ time }) => time >= split);
  const tried = trainModel(
    flights.filter(({ time }) => time < split),
    current.model,
  );
  const before = evaluateModel(current.model, heldOut);
  const after = evaluateModel(tried, heldOut);
  return {
    model: trainModel(flights, current.model),
    flights,
    before,
    after,
    outcome: after.log_loss < before.log_loss ? "better" : "worse",
  };
}

function compared({ before, after }: Candidate): string {
  return `AUC ${before.auc.toFixed(3)} -> ${after.auc.toFixed(3)}, log loss ${before.log_loss.toFixed(4)} -> ${after.log_loss.toFixed(4)}`;
}

/** Days that Leeway called a data fault: a model is not taught a fault. */
async function faultyDays(asked: Request, monitor: string): Promise<ReadonlySet<string>> {
  const query = new URLSearchParams({ monitor, from: asked.data.from, to: asked.data.to, limit: "500" });
  const url = new URL(`/v1/models/${encodeURIComponent(asked.model)}/drift?${query}`, asked.status_url);
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.pathname} answered ${response.status}`);
  const { windows } = driftAnswer.parse(await response.json());
  return new Set(
    windows
      .filter(({ dataset }) => dataset.verdict === "quality")
      .map(({ from }) => dayOf(new Date(from)))
      .sort(),
  );
}

async function report({ status_url, status_token }: Request, body: RetrainReport): Promise<void> {
  const response = await fetch(status_url, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${status_token}` },
    body: JSON.stringify(body),
  });
  if (!response.ok)
    throw new Error(
      `the report "${body.status}" was answered with ${response.status}: ${await response.text()}`,
    );
  await response.arrayBuffer();
}

function dayOf(time: Date): string {
  return time.toISOString().slice(0, 10);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
