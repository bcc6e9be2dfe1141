import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import type { ApiClient } from "../app/api-client.ts";
import type { DeploymentStatus } from "../schema/deployment.ts";
import { codeState } from "./code-state.ts";
import { type CommandLine, written } from "./command-line.ts";
import type { LabelledFlight, LateModel } from "./model.ts";
import type { Narrator } from "./narrator.ts";
import { onnxModel, sampleOf } from "./onnx-model.ts";
import { MODEL, putBaseline } from "./set-up.ts";

export const DEPLOYMENT = "flights-live";
/** Percent of the calls that a challenger gets first. */
const CANARY_PERCENT = 25;
/** Flights whose answers are registered with the model. */
const SAMPLED_FLIGHTS = 5;

type Training = readonly (LabelledFlight & { readonly time: Date })[];

/** A model and what it learned from. */
interface Trained {
  readonly model: LateModel;
  readonly flights: Training;
}

/** A model and the number by which the registry knows it. */
export interface Version extends Trained {
  readonly version: string;
}

/** What is said of a version at its registration. */
interface Origin {
  readonly description: string;
  readonly why: string;
  /** The run that trained it, and the version it went on from. */
  readonly run?: { readonly id: string; readonly parent: string } | undefined;
  /** Hash of the file it was trained on; that of the flights themselves when absent. */
  readonly datasetHash?: string | undefined;
  readonly properties: Readonly<Record<string, string>>;
}

/**
 * The demo's model in the registry and its deployment, by the commands one would type: the first version is the champion;
 * a better one is registered as challenger, gets some of the calls, and then all of them.
 */
export class Serving {
  readonly #leeway: ApiClient;
  readonly #command: CommandLine;
  readonly #narrator: Narrator;
  readonly #folder: string;
  #champion: Version | undefined;
  #challenger: Version | undefined;

  constructor(parts: {
    readonly leeway: ApiClient;
    readonly command: CommandLine;
    readonly narrator: Narrator;
    /** For the model files. */
    readonly folder: string;
  }) {
    this.#leeway = parts.leeway;
    this.#command = parts.command;
    this.#narrator = parts.narrator;
    this.#folder = parts.folder;
  }

  /** The version that has the most calls. */
  get champion(): Version {
    if (this.#champion) return this.#champion;
    throw new TypeError("nothing has been deployed yet");
  }

  /** Registers the first version, gives it its baseline and deploys it. @returns The address to score at. */
  async start(trained: Trained, origin: Origin): Promise<string> {
    const version = await this.#register(trained, origin, "champion");
    await putBaseline(this.#leeway, version, trained);
    this.#champion = { ...trained, version };
    await this.#say(
      ...["deploy", DEPLOYMENT, `${MODEL}@champion`],
      ...["--record-time", "ce-time", "--batch-ms", "25"], // the flights are of 2001, and a day goes by in a moment
    );
    return (await this.#deployment()).status.url;
  }

  /** Registers a version that is to be better, and gives it some of the calls. @returns Its number. */
  async challenge(trained: Trained, origin: Origin): Promise<string> {
    const version = await this.#register(trained, origin, "challenger");
    this.#challenger = { ...trained, version };
    await this.#say(
      ...["deploy", DEPLOYMENT, `${MODEL}@challenger`, "--canary", String(CANARY_PERCENT)],
      ...["--why", origin.why],
    );
    return version;
  }

  /** Gives the challenger, if there is one, all calls; from now on days are compared with what it was trained on. */
  async settle(): Promise<void> {
    const challenger = this.#challenger;
    if (!challenger) return;
    this.#challenger = undefined;
    await this.#say("deploy", "promote", DEPLOYMENT, "--why", "its share of the calls went well");
    const why = `better on a week it had not seen, and served ${CANARY_PERCENT} % of the calls for a day`;
    await this.#say("model", "alias", "set", MODEL, "champion", challenger.version, "--why", why);
    await putBaseline(this.#leeway, challenger.version, challenger);
    this.#champion = challenger;
  }

  async #register(
    { model, flights }: Trained,
    { description, why, run, datasetHash, properties }: Origin,
    alias: "champion" | "challenger",
  ): Promise<string> {
    const folder = join(this.#folder, alias);
    await mkdir(folder, { recursive: true });
    const file = join(folder, "late.onnx");
    const sample = join(folder, "sample.json");
    await writeFile(file, onnxModel(model));
    const sampled = flights.slice(0, SAMPLED_FLIGHTS).map(({ inputs }) => inputs);
    await writeFile(sample, JSON.stringify(sampleOf(model, sampled)));
    const { code } = await codeState();
    await this.#say(
      ...["model", "register", MODEL, file, "--sample", sample, "--alias", alias],
      ...["--description", description, "--why", why],
      ...["--dataset-hash", datasetHash ?? hashOf(flights)],
      ...(run ? ["--run", run.id, "--parent", run.parent] : []),
      ...Object.entries(properties).flatMap(([name, value]) => ["--property", `${name}=${value}`]),
      ...(code?.commit === undefined ? ["--no-git"] : ["--git-commit", code.commit]),
      ...(code?.branch === undefined ? [] : ["--git-branch", code.branch]),
    );
    const { version } = await this.#leeway.json<{ version: string }>({
      path: `/v1/models/${MODEL}/aliases/${alias}`,
    });
    return version;
  }

  async #deployment(): Promise<DeploymentStatus> {
    return this.#leeway.json<DeploymentStatus>({ path: `/v1/deployments/${DEPLOYMENT}` });
  }

  /** Tells the command, without what would fill the page, then runs it and tells what it printed first. */
  async #say(...words: readonly string[]): Promise<void> {
    const long = words.findIndex((word) => word === "--description" || word === "--dataset-hash");
    const told = (long < 0 ? words : [...words.slice(0, long), "…"]).map((word) =>
      word.startsWith(this.#folder) ? basename(word) : word,
    );
    this.#narrator.say(`leeway ${written(told)}`, "$");
    const [first = ""] = (await this.#command(...words)).split("\n");
    this.#narrator.quote(first);
  }
}

function hashOf(flights: Training): string {
  const hash = createHash("sha256");
  for (const { time, inputs, late } of flights) hash.update(JSON.stringify([time, inputs, late]));
  return `sha256:${hash.digest("hex")}`;
}
