import { randomBytes } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ApiClient } from "../app/api-client.ts";
import { type Child, startChild } from "./child.ts";
import { type Inbox, openInbox } from "./inbox.ts";
import type { LateModel } from "./model.ts";
import { putBaseline } from "./set-up.ts";
import { openTrainer, type Trainer } from "./trainer.ts";

/** A model and the number it is known by. */
export interface Version {
  readonly version: string;
  readonly model: LateModel;
}

/** Everybody the story needs, up and listening on this machine only. */
export interface Stage {
  readonly leeway: ApiClient;
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

/** Opens the inbox and the trainer here, Leeway and the scoring service as processes of their own. */
export async function openStage({
  first,
  monitor,
  say,
}: {
  readonly first: Version;
  /** Whose word on data faults the trainer takes. */
  readonly monitor: string;
  readonly say: (text: string) => void;
}): Promise<Stage> {
  const folder = await mkdtemp(join(tmpdir(), "leeway-demo-"));
  const opened: (() => Promise<void>)[] = [() => rm(folder, { recursive: true, force: true })];
  const closeAll = async (closing: readonly (() => Promise<void>)[]) => {
    for (const close of [...closing].reverse()) await close();
  };
  try {
    const inbox = await openInbox();
    opened.push(() => inbox.close());
    const service = await startLeeway(folder, inbox);
    opened.push(() => service.stop());
    const scoring = await startScoring(folder, first);
    opened.push(() => scoring.stop());
    const leeway = new ApiClient({ url: service.url });
    const secret = `whsec_${randomBytes(32).toString("base64")}`;
    const trainer = await openLiveTrainer({ leeway, scoringUrl: scoring.url, first, secret, monitor, say });
    opened.push(() => trainer.close());
    return {
      leeway,
      scoringUrl: scoring.url,
      inbox,
      trainerUrl: trainer.url,
      secret,
      folder,
      ended: Promise.race([service.ended, scoring.ended]),
      close: (kept) => closeAll(kept === "keep" ? opened.slice(1) : opened),
    };
  } catch (error) {
    await closeAll(opened.slice(1)); // the logs tell what went wrong
    throw error;
  }
}

function startLeeway(folder: string, inbox: Inbox): Promise<Child> {
  return startChild({
    name: "leeway serve",
    module: "app/cli",
    args: ["serve", "--port", "0", "--data-dir", join(folder, "leeway-data")],
    env: { LEEWAY_SMTP_URL: inbox.url, LEEWAY_SMTP_FROM: "leeway@example.org" },
    logFile: join(folder, "leeway.log"),
  });
}

async function startScoring(folder: string, first: Version): Promise<Child> {
  const file = join(folder, "model.json");
  await writeFile(file, JSON.stringify(first));
  return startChild({
    name: "the scoring service",
    module: "demo/scoring-service",
    args: ["--model", file],
    logFile: join(folder, "scoring.log"),
  });
}

/** The trainer, with the way a better model goes live: the baseline it is compared with first, then the model. */
async function openLiveTrainer({
  leeway,
  scoringUrl,
  first,
  ...options
}: {
  readonly leeway: ApiClient;
  readonly scoringUrl: string;
  readonly first: Version;
  readonly secret: string;
  readonly monitor: string;
  readonly say: (text: string) => void;
}): Promise<Trainer> {
  let live = first;
  return openTrainer({
    ...options,
    inProduction: () => live,
    deploy: async ({ version, model, flights }) => {
      await putBaseline(leeway, version, { model, flights });
      const response = await fetch(`${scoringUrl}/model`, {
        method: "PUT",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ version, model }),
      });
      if (!response.ok) throw new Error(`the scoring service refused version ${version}: ${response.status}`);
      live = { version, model };
    },
  });
}
