import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { type PlannedVersion, type ReplicaPlan, replicaPlan } from "../../schema/deployment.ts";
import { ServiceError } from "../../schema/errors.ts";
import type { FromReplica, ToReplica } from "./group-messages.ts";
import { type ListenOn, Replica } from "./replica.ts";
import type { ReplicaLog } from "./replica-log.ts";
import { tlsFrom } from "./tls-files.ts";

const REPORT_EVERY_MS = 1_000;
const GRACE_MS = 30_000;

/**
 * A plan with the files it names, which may be relative to its own folder.
 * @throws ServiceError `invalid-input`, naming the place, when the file holds no plan.
 */
async function readPlan(path: string): Promise<ReplicaPlan> {
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new ServiceError("invalid-input", `${path} cannot be read as JSON: ${(error as Error).message}`);
  }
  const parsed = replicaPlan.safeParse(value);
  if (parsed.success) return withFilesFrom(dirname(path), parsed.data);
  throw new ServiceError("invalid-input", `${path} is no plan: ${z.prettifyError(parsed.error)}`);
}

function withFilesFrom(folder: string, plan: ReplicaPlan): ReplicaPlan {
  const placed = (version: PlannedVersion) => ({
    ...version,
    model_file: resolve(folder, version.model_file),
    ...(version.module ? { module: { ...version.module, file: resolve(folder, version.module.file) } } : {}),
  });
  return {
    ...plan,
    versions: plan.versions.map(placed),
    ...(plan.tls ? { tls: tlsFrom(plan.tls, folder) } : {}),
    ...(plan.shadow ? { shadow: { ...plan.shadow, version: placed(plan.shadow.version) } } : {}),
  };
}

/**
 * Runs a replica until it is told to end: by the group that has started it, or by `stopped` for one that was started by
 * hand. One whose group is gone goes on: those who call it have done nothing.
 */
export async function runReplica({
  planFile,
  listen,
  version,
  log,
  stopped,
}: {
  readonly planFile: string;
  readonly listen: ListenOn;
  readonly version: string;
  readonly log: ReplicaLog;
  readonly stopped: Promise<unknown>;
}): Promise<void> {
  let replica: Replica;
  try {
    replica = await Replica.start({ plan: await readPlan(planFile), listen, version, log });
  } catch (error) {
    say({ say: "failed", why: (error as Error).message });
    throw error;
  }
  const { plan, versions } = replica.state;
  log("info", "scoring", { url: replica.url, plan, inference: versions });
  say({ say: "ready", state: replica.state });
  const reports = setInterval(() => say({ say: "state", state: replica.state }), REPORT_EVERY_MS);
  const told = new Promise<number>((resolve) => {
    process.on("message", (message: ToReplica) => {
      if (message.say === "others") replica.tellOthers(message);
      else if (message.say === "share") replica.shareWith(message.with);
      else if (message.say === "keys") replica.askForKeys(message.hashes);
      else if (message.say === "withdraw") replica.withdraw(message.version);
      else resolve(message.graceMs);
    });
  });
  const graceMs = await Promise.race([told, stopped.then(() => GRACE_MS)]);
  await replica.drain(graceMs);
  clearInterval(reports);
  say({ say: "state", state: replica.state });
  if (process.connected) process.disconnect();
  log("info", "ended", { plan });
}

function say(message: FromReplica): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => undefined); // a group that ends is no failure
}
