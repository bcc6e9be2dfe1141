import { parseArgs } from "node:util";
import { type Evaluation, evaluateModel } from "./evaluate.ts";
import { type FlightSource, openFlights } from "./flights.ts";
import { type LateModel, trainModel } from "./model.ts";
import { type Narrator, openNarrator } from "./narrator.ts";
import type { Observed } from "./observed.ts";
import { DEPLOYMENT } from "./serving.ts";
import { configure, DAILY, MODEL } from "./set-up.ts";
import { openStage, type Stage } from "./stage.ts";
import { replayStory } from "./story.ts";
import { layOut, tableLines } from "./story-table.ts";
import { claimsOf } from "./truth.ts";

const HELP = `Usage: npm run demo -- [--exit] [--full]

The whole loop on real data: the flights of the United States from January to June 2001. A small model that foretells
late arrivals is trained on January and scores what follows; Leeway watches it.

  --exit  end when the story is told; without it everything stays up to be looked at
  --full  replay all three million flights instead of one in sixteen
  --help  show this

Example: npm run demo -- --exit
`;

const JANUARY = new Date("2001-01-01T00:00:00Z");
const FEBRUARY = new Date("2001-02-01T00:00:00Z");
const JULY = new Date("2001-07-01T00:00:00Z");
/** The last week of January: the model is tried on it before it is trained on the whole month. */
const TRIAL_FROM = new Date("2001-01-25T00:00:00Z");
const SAMPLED = 16;

async function main(): Promise<number> {
  const { values, positionals } = options();
  if (values.help) {
    process.stdout.write(HELP);
    return 0;
  }
  if (positionals.length > 0) throw new TypeError(`"${positionals[0]}" is not expected`);
  const narrator = openNarrator(process.stdout, process.env);
  const asked = askedToStop();
  const flights = await openFlights({ every: values.full ? 1 : SAMPLED });
  try {
    return await told({ narrator, flights, asked, stay: values.exit ? "exit" : "stay" });
  } finally {
    flights.close();
  }
}

function options() {
  return parseArgs({
    options: { exit: { type: "boolean" }, full: { type: "boolean" }, help: { type: "boolean", short: "h" } },
    allowPositionals: true,
  });
}

async function told({
  narrator,
  flights,
  asked,
  stay,
}: {
  readonly narrator: Narrator;
  readonly flights: FlightSource;
  readonly asked: Promise<"stop">;
  readonly stay: "exit" | "stay";
}): Promise<number> {
  narrator.heading("January 2001: a model");
  const january = await flights.between(JANUARY, FEBRUARY);
  const { model, trial } = firstModel(january);
  narrator.say(
    `A logistic regression on ${count(january.length)} flights of January foretells whether a flight arrives more than 15 minutes late, from its hour, weekday, distance, origin and destination. AUC ${trial.auc.toFixed(3)} on the last week, which it had not seen (0.5 is guessing).`,
  );
  narrator.heading("From the model to a service");
  const stage = await openStage({
    first: [
      { model, flights: january },
      {
        description: "logistic regression, trained on January",
        why: "the first",
        properties: { auc: trial.auc.toFixed(4), log_loss: trial.log_loss.toFixed(4) },
      },
    ],
    monitor: DAILY,
    narrator,
  });
  let folder: "remove" | "keep" = "keep";
  try {
    await configure(stage.leeway, stage);
    narrator.say(
      `Leeway is up at ${stage.leeway.url}, with January as its baseline, a daily and a weekly monitor, two alert rules and a retrain policy: the day compares hour, distance, origin, destination and the model's probability, the week also the labels.`,
    );
    narrator.heading("February to June: production");
    const replay = replayStory({ stage, flights, narrator, from: FEBRUARY, to: JULY, asked });
    const observed = await Promise.race([replay, stage.ended, asked]);
    if (observed === "stop") {
      folder = "remove";
      return 130;
    }
    const outcome = tellEnd(narrator, observed);
    if (stay === "stay") await lookAround(narrator, stage, asked);
    if (outcome === "true") folder = "remove";
    else narrator.say(`The logs are in ${stage.folder}.`);
    return outcome === "true" ? 0 : 1;
  } finally {
    await stage.close(folder);
  }
}

function firstModel(
  january: readonly {
    readonly time: Date;
    readonly inputs: Parameters<typeof trainModel>[0][number]["inputs"];
    readonly late: boolean;
  }[],
): { readonly model: LateModel; readonly trial: Evaluation } {
  const tried = trainModel(january.filter(({ time }) => time < TRIAL_FROM));
  const trial = evaluateModel(
    tried,
    january.filter(({ time }) => time >= TRIAL_FROM),
  );
  return { model: trainModel(january), trial };
}

/** The table, and whether the story told is true. */
function tellEnd(narrator: Narrator, observed: Observed): "true" | "not true" {
  const { daily, weekly } = tableLines(observed);
  narrator.heading("Day by day (days in a row about which Leeway says the same are one line)");
  narrator.print(layOut(daily));
  narrator.heading("Week by week");
  narrator.print(layOut(weekly));
  narrator.heading("What this demo claims, checked");
  const claims = claimsOf(observed);
  for (const { says, holds, instead } of claims)
    narrator.say(holds === "yes" ? says : `${says}. NOT SO: ${instead}`, holds);
  return claims.every(({ holds }) => holds === "yes") ? "true" : "not true";
}

async function lookAround(narrator: Narrator, stage: Stage, asked: Promise<"stop">): Promise<void> {
  narrator.heading("Look around");
  const { url } = stage.leeway;
  narrator.say(`${url}/docs`, "API");
  narrator.say(`curl '${url}/v1/models/flights/drift?monitor=daily&limit=1'`, "results");
  narrator.say(`curl ${url}/metrics`, "metrics");
  narrator.say(`LEEWAY_URL=${url} npx leeway deploy status ${DEPLOYMENT}`, "deployment");
  narrator.say(`LEEWAY_URL=${url} npx leeway query "select * from ${MODEL} limit 3"`, "records");
  narrator.say("Ctrl-C ends it, and removes its data.");
  await Promise.race([asked, stage.ended]);
}

function askedToStop(): Promise<"stop"> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => resolve("stop"));
  });
}

function count(number: number): string {
  return number.toLocaleString("en-US");
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`demo: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = error instanceof TypeError ? 2 : 1;
}
