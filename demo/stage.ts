import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiClient } from "../app/api-client.ts";
import { type Child, startChild } from "./child.ts";
import { commandLine } from "./command-line.ts";
import { type Inbox, openInbox } from "./inbox.ts";
import type { Narrator } from "./narrator.ts";
import { DEPLOYMENT, Serving } from "./serving.ts";
import { openTrainer } from "./trainer.ts";
import { watchReplicas } from "./watch-replicas.ts";

/** Everybody the story needs, up and listening on this machine only. */
export interface Stage {
  readonly leeway: ApiClient;
  readonly serving: Serving;
  /** Address of the deployment. */
  readonly scoringUrl: string;
  readonly inbox: Inbox;
  readonly trainerUrl: string;
  readonly secret: string;
  readonly folder: string;
  /** Rejects when one of the programs ends by itself. */
  readonly ended: Promise<never>;
  /** Stops everybody, in order; the folder with the data and the logs goes too unless it is wanted. */
  close(folder: "remove" | "keep"): Promise<void>;
}

/** Opens the inbox and the trainer here, and Leeway as a process of its own, which serves the first model. */
export async function openStage({
  first,
  monitor,
  narrator,
}: {
  readonly first: Parameters<Serving["start"]>;
  /** Whose word on data faults the trainer takes. */
  readonly monitor: string;
  readonly narrator: Narrator;
}): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), "leeway-demo-"));
  const opened: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  const closeAll = async (closing: readonly (() => Promise<void>)[]) => {
    for (const close of [...closing].reverse()) await close();
  };
  try {
    const inbox = await openInbox();
    opened.push(() => inbox.close());
    const dataDir = join(folder, "leeway-data");
    const service = await startLeeway({ folder, dataDir, inbox });
    opened.push(() => service.stop());
    const leeway = new ApiClient({ url: service.url });
    const deployment = `/v1/deployments/${DEPLOYMENT}`;
    opened.push(watchReplicas(dataDir, () => leeway.json({ method: "DELETE", path: deployment })));
    const serving = new Serving({ leeway, command: commandLine(service.url), narrator, folder });
    const scoringUrl = await serving.start(...first);
    const secret = `whsec_${randomBytes(32).toString("base64")}`;
    const trainer = await openTrainer({
      secret,
      monitor,
      inProduction: () => serving.champion,
      say: (text) => narrator.say(text, "trainer"),
      deploy: ({ run, parent, datasetHash, after, ...trained }) =>
        serving.challenge(trained, {
          description: "logistic regression, trained on four weeks that drifted",
          why: "better on the last week, which was held out",
          run: { id: run, parent },
          datasetHash,
          properties: { auc: after.auc.toFixed(4), log_loss: after.log_loss.toFixed(4) },
        }),
    });
    opened.push(() => trainer.close());
    return {
      leeway,
      serving,
      scoringUrl,
      inbox,
      trainerUrl: trainer.url,
      secret,
      folder,
      ended: service.ended,
      close: (kept) => closeAll(kept === "keep" ? opened.slice(1) : opened),
    };
  } catch (error) {
    await closeAll(opened.slice(1)); // the logs tell what went wrong
    throw error;
  }
}

function startLeeway({
  folder,
  dataDir,
  inbox,
}: {
  readonly folder: string;
  readonly dataDir: string;
  readonly inbox: Inbox;
}): Promise<Child> {
  return startChild({
    name: "leeway serve",
    module: "app/cli",
    args: ["serve", "--port", "0", "--data-dir", dataDir],
    env: { LEEWAY_SMTP_URL: inbox.url, LEEWAY_SMTP_FROM: "leeway@example.org" },
    logFile: join(folder, "leeway.log"),
  });
}
