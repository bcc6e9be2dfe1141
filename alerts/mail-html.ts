import { clip, FEATURES_IN_DETAIL, VERDICT_WORD } from "./mail-text.ts";
import type { AlertStory, FeatureStory, Occasion } from "./story.ts";
import { type Figure, type MovedShare, percent } from "./then-and-now.ts";

// Mail programs drop style sheets and repaint backgrounds for dark mode: styles are inline, text keeps the
// program's own colour, and the few colours used can be read on white and on black. What is wrong, what changed and
// what to press have the one accent; everything else is grey.
const ACCENT: Readonly<Record<Occasion, string>> = { fire: "#d9480f", remind: "#d9480f", resolve: "#2b8a3e" };
const GREY = "#868e96";
const MUTED = "color:#7a7a7a";
const LINE = "1px solid #8c8c8c55";
const FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const TABLE = "border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums";

/** The story as HTML of its own: no style sheet, no script, nothing fetched, every text escaped. */
export function mailHtml(story: AlertStory): string {
  const accent = ACCENT[story.occasion];
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">
<title>${escaped(story.subject)}</title></head>
<body style="margin:0;padding:16px;${FONT};font-size:15px;line-height:1.5">
<div style="max-width:600px;margin:0 auto">
<div style="border-left:4px solid ${accent};padding:2px 0 2px 14px">
<div style="font-size:20px;font-weight:600;line-height:1.3">${escaped(story.headline)}</div>
<div style="margin-top:6px">${escaped(story.summary)}</div>
</div>
<div style="margin-top:16px">${factTable(story.facts, 14)}</div>
${story.features.length > 1 ? overviewTable(story.features, accent) : ""}
${story.featuresLeftOut > 0 ? `<p style="margin:6px 0 0;font-size:13px;${MUTED}">… and ${story.featuresLeftOut} more features.</p>` : ""}
${story.features
  .slice(0, FEATURES_IN_DETAIL)
  .map((feature) => featureBlock(feature, accent))
  .join("\n")}
<p style="margin:22px 0"><a href="${escaped(story.link)}" style="display:inline-block;padding:9px 16px;border:1px solid ${accent};border-radius:6px;color:${accent};text-decoration:none;font-weight:600">Everything about this window</a></p>
${story.acknowledge ? acknowledgeBlock(story.acknowledge) : ""}
<div style="border-top:${LINE};padding-top:12px;margin-top:22px;${MUTED}">${factTable(story.background, 12)}</div>
</div></body></html>
`;
}

function factTable(facts: AlertStory["facts"], pixels: number): string {
  const rows = facts.map(
    ({ name, value }) =>
      `<tr><td style="padding:2px 18px 2px 0;${MUTED};white-space:nowrap;vertical-align:top">${escaped(name)}</td><td style="padding:2px 0;word-break:break-word">${escaped(value)}</td></tr>`,
  );
  return `<table role="presentation" cellspacing="0" cellpadding="0" style="border-collapse:collapse;font-size:${pixels}px">${rows.join("")}</table>`;
}

/** Every feature in one line, with the figure that shows its change best. */
function overviewTable(features: readonly FeatureStory[], accent: string): string {
  const rows = features.map(({ name, verdict, telling }) => {
    const what = [VERDICT_WORD[verdict], ...(telling ? [clip(telling.name)] : [])].join(", ");
    return `<tr><td style="padding:6px 0;border-bottom:${LINE};word-break:break-word"><b>${escaped(name)}</b><br><span style="font-size:12px;${MUTED}">${escaped(what)}</span></td>${overviewCell(telling?.before ?? "")}${overviewCell(telling?.now ?? "", `;color:${accent};font-weight:600`)}</tr>`;
  });
  return `<table cellspacing="0" cellpadding="0" style="${TABLE};margin-top:16px;font-size:14px">
<tr>${headCell("", "left")}${headCell("baseline", "right")}${headCell("now", "right")}</tr>
${rows.join("")}</table>`;
}

function overviewCell(text: string, style = ""): string {
  return `<td style="padding:6px 0 6px 12px;text-align:right;white-space:nowrap;border-bottom:${LINE}${style}">${escaped(text)}</td>`;
}

function featureBlock(feature: FeatureStory, accent: string): string {
  const repeated = feature.cause !== null && feature.evidence === `Data quality: ${feature.cause}.`;
  return `<div style="border:${LINE};border-radius:8px;padding:12px 16px;margin-top:16px">
<div><span style="font-size:16px;font-weight:600;word-break:break-word">${escaped(feature.name)}</span>
<span style="margin-left:8px;padding:1px 8px;border:1px solid ${accent};border-radius:10px;color:${accent};font-size:12px;white-space:nowrap">${VERDICT_WORD[feature.verdict]}</span></div>
${feature.cause ? `<div style="margin-top:6px"><b>Likely cause:</b> ${escaped(feature.cause)}</div>` : ""}
${repeated ? "" : `<div style="margin-top:4px;font-size:13px;${MUTED}">${escaped(feature.evidence)}</div>`}
${feature.figures.length > 0 ? figureTable(feature.figures) : ""}
${feature.moved.length > 0 ? shareTable(feature.moved, accent) : ""}
</div>`;
}

function figureTable(figures: readonly Figure[]): string {
  const number = "padding-left:12px;text-align:right;white-space:nowrap";
  const rows = figures.map(
    ({ name, before, now, change }) =>
      `<tr>${cell(name, MUTED)}${cell(before, number)}${cell(now, `${number};font-weight:600`)}${cell(change ?? "", `${number};${MUTED}`)}</tr>`,
  );
  return `<table cellspacing="0" cellpadding="0" style="${TABLE};margin-top:10px;font-size:13px">
<tr>${headCell("", "left")}${headCell("baseline", "right")}${headCell("now", "right")}${headCell("change", "right")}</tr>
${rows.join("")}</table>`;
}

function shareTable(moved: readonly MovedShare[], accent: string): string {
  const rows = moved.map(
    ({ label, before, now }) =>
      `<tr>${cell(clip(label), `${MUTED};padding-right:12px;width:32%;word-break:break-word`)}<td style="padding:4px 0">${bar(before, GREY)}${bar(now, accent)}</td></tr>`,
  );
  return `<div style="margin-top:10px;font-size:12px;${MUTED}">Shares that moved most: <span style="color:${GREY}">&#9632; baseline</span> <span style="color:${accent}">&#9632; now</span></div>
<table cellspacing="0" cellpadding="0" style="${TABLE};font-size:13px">${rows.join("")}</table>`;
}

/** A bar with its figure right behind it; a full bar leaves room for that. */
function bar(share: number, colour: string): string {
  const width = Math.max(0.5, Math.min(100, share * 100) * 0.75).toFixed(1);
  return `<div style="white-space:nowrap;line-height:15px"><span style="display:inline-block;width:${width}%;height:8px;border-radius:2px;background:${colour};vertical-align:middle"></span> <span style="font-size:11px;vertical-align:middle">${percent(share)}</span></div>`;
}

function cell(text: string, style: string): string {
  return `<td style="padding:3px 0;${style}">${escaped(text)}</td>`;
}

function headCell(text: string, align: "left" | "right"): string {
  return `<th style="padding:3px 0 3px ${align === "right" ? 12 : 0}px;text-align:${align};font-weight:400;font-size:12px;${MUTED};border-bottom:${LINE}">${escaped(text)}</th>`;
}

function acknowledgeBlock(command: string): string {
  return `<div style="font-size:13px">To acknowledge, which ends the reminders:</div>
<pre style="margin:6px 0 0;padding:10px 12px;border:${LINE};border-radius:6px;font-size:12px;white-space:pre-wrap;word-break:break-word">${escaped(command)}</pre>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
