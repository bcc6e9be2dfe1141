import type { AlertStory, FeatureStory } from "./story.ts";
import { percent } from "./then-and-now.ts";

const WIDTH = 78;
/** The worst ones; the others are a line each. */
export const FEATURES_IN_DETAIL = 3;

/** The story as plain text. */
export function mailText(story: AlertStory): string {
  const blocks = [
    story.headline,
    wrap(story.summary),
    factLines(story.facts),
    story.features.length > 1 ? overview(story.features) : "",
    story.featuresLeftOut > 0 ? `… and ${story.featuresLeftOut} more features.` : "",
    ...story.features.slice(0, FEATURES_IN_DETAIL).map(featureText),
    `Everything about this window:\n${story.link}`,
    story.acknowledge ? `To acknowledge, which ends the reminders:\n${story.acknowledge}` : "",
    factLines(story.background),
  ];
  return `${blocks.filter((block) => block !== "").join("\n\n")}\n`;
}

function factLines(facts: AlertStory["facts"]): string {
  const widest = Math.max(...facts.map(({ name }) => name.length));
  return facts.map(({ name, value }) => `${`${name}:`.padEnd(widest + 2)}${value}`).join("\n");
}

/** A line per feature: what is wrong, and the figure that shows it best. */
function overview(features: readonly FeatureStory[]): string {
  const widest = Math.max(...features.map(({ name }) => clip(name).length));
  return features
    .map(({ name, verdict, telling }) => {
      const figure = telling ? `, ${clip(telling.name)} ${telling.before} -> ${telling.now}` : "";
      return `  ${clip(name).padEnd(widest)}  ${VERDICT_WORD[verdict]}${figure}`;
    })
    .join("\n");
}

function featureText(feature: FeatureStory): string {
  const title = `${feature.name}: ${VERDICT_WORD[feature.verdict]}`;
  const lines = [`${title}\n${"-".repeat(Math.min(title.length, WIDTH))}`];
  if (feature.cause) lines.push(wrap(`Likely cause: ${feature.cause}.`));
  if (feature.evidence !== `Data quality: ${feature.cause}.`) lines.push(wrap(feature.evidence));
  for (const { name, before, now, change } of feature.figures)
    lines.push(`  ${name.padEnd(20)} ${before} -> ${now}${change ? `  (${change})` : ""}`);
  for (const { label, before, now } of feature.moved)
    lines.push(`  ${`share of ${clip(label)}`.padEnd(20)} ${percent(before)} -> ${percent(now)}`);
  return lines.join("\n");
}

export const VERDICT_WORD: Readonly<Record<FeatureStory["verdict"], string>> = {
  drifted: "drifted",
  quality: "data fault",
  error: "could not be checked",
};

export function clip(text: string): string {
  return text.length > 40 ? `${text.slice(0, 39)}…` : text;
}

function wrap(text: string): string {
  const lines: string[] = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line !== "" && line.length + 1 + word.length > WIDTH) lines.push(word);
    else lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
  }
  return lines.join("\n");
}
