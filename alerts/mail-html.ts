import { clip, VERDICT_WORD } from "./mail-text.ts";
import type { AlertStory, FeatureStory, Occasion } from "./story.ts";
import { type Figure, type MovedShare, percent } from "./then-and-now.ts";

// Mail programs drop style sheets and repaint backgrounds for dark mode: styles are inline, text keeps the
// program's own colour, and the few colours used can be read on white and on black.
const MUTED = "color:#7a7a7a";
const LINE = "1px solid #8c8c8c55";
const FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif";
const ACCENT: Readonly<Record<Occasion, string>> = { fire: "#d9480f", remind: "#d9480f", resolve: "#2b8a3e" };
const VERDICT_COLOUR: Readonly<Record<FeatureStory["verdict"], string>> = {
  drifted: "#d9480f",
  quality: "#845ef7",
  error: "#7a7a7a",
};
const THEN_COLOUR = "#868e96";
const NOW_COLOUR = "#1c7ed6";

/** The story as HTML of its own: no style sheet, no script, nothing fetched, every text escaped. */
export function mailHtml(story: AlertStory): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">
<title>${escaped(story.subject)}</title></head>
<body style="margin:0;padding:16px;${FONT};font-size:15px;line-height:1.5">
<div style="max-width:640px;margin:0 auto">
<div style="border-left:4px solid ${ACCENT[story.occasion]};padding:2px 0 2px 14px;margin-bottom:18px">
<div style="font-size:20px;font-weight:600;line-height:1.3">${escaped(story.headline)}</div>
<div style="margin-top:6px">${escaped(story.summary)}</div>
</div>
${factTable(story.facts)}
${story.features.map(featureBlock).join("\n")}
${story.featuresLeftOut > 0 ? `<p style="${MUTED}">… and ${story.featuresLeftOut} more features.</p>` : ""}
<p style="margin:22px 0"><a href="${escaped(story.link)}" style="display:inline-block;padding:9px 16px;border:1px solid ${NOW_COLOUR};border-radius:6px;color:${NOW_COLOUR};text-decoration:none;font-weight:600">Everything about this window</a></p>
${story.acknowledge ? acknowledgeBlock(story.acknowledge) : ""}
<p style="${MUTED};font-size:12px;border-top:${LINE};padding-top:10px;margin-top:22px">Sent by Leeway because a rule asked for it.</p>
</div></body></html>
`;
}

function factTable(facts: AlertStory["facts"]): string {
  const rows = facts.map(
    ({ name, value }) =>
      `<tr><td style="padding:2px 18px 2px 0;${MUTED};white-space:nowrap;vertical-align:top">${escaped(name)}</td><td style="padding:2px 0">${escaped(value)}</td></tr>`,
  );
  return `<table role="presentation" cellspacing="0" cellpadding="0" style="border-collapse:collapse;font-size:14px">${rows.join("")}</table>`;
}

function featureBlock(feature: FeatureStory): string {
  const colour = VERDICT_COLOUR[feature.verdict];
  const repeated = feature.cause !== null && feature.evidence === `Data quality: ${feature.cause}.`;
  return `<div style="border:${LINE};border-radius:8px;padding:12px 16px;margin-top:16px">
<div><span style="font-size:16px;font-weight:600;word-break:break-word">${escaped(feature.name)}</span>
<span style="margin-left:8px;padding:1px 8px;border:1px solid ${colour};border-radius:10px;color:${colour};font-size:12px;white-space:nowrap">${VERDICT_WORD[feature.verdict]}</span></div>
${feature.cause ? `<div style="margin-top:6px"><b>Likely cause:</b> ${escaped(feature.cause)}</div>` : ""}
${repeated ? "" : `<div style="margin-top:4px;font-size:13px;${MUTED}">${escaped(feature.evidence)}</div>`}
${feature.figures.length > 0 ? figureTable(feature.figures) : ""}
${feature.moved.length > 0 ? shareTable(feature.moved) : ""}
</div>`;
}

function figureTable(figures: readonly Figure[]): string {
  const rows = figures.map(
    ({ name, before, now, change }) =>
      `<tr>${cell(name, MUTED)}${cell(before, "text-align:right")}${cell(now, "text-align:right;font-weight:600")}${cell(change ?? "", `text-align:right;${MUTED}`)}</tr>`,
  );
  return `<table cellspacing="0" cellpadding="0" style="border-collapse:collapse;width:100%;margin-top:10px;font-size:13px;font-variant-numeric:tabular-nums">
<tr>${headCell("", "left")}${headCell("baseline", "right")}${headCell("now", "right")}${headCell("", "right")}</tr>
${rows.join("")}</table>`;
}

function shareTable(moved: readonly MovedShare[]): string {
  const rows = moved.map(
    ({ label, before, now }) =>
      `<tr>${cell(clip(label), `${MUTED};width:34%;word-break:break-word`)}<td style="padding:3px 0">${bar(before, THEN_COLOUR)}${bar(now, NOW_COLOUR)}</td></tr>`,
  );
  return `<div style="margin-top:10px;font-size:12px;${MUTED}">Shares that moved most: <span style="color:${THEN_COLOUR}">&#9632; baseline</span> <span style="color:${NOW_COLOUR}">&#9632; now</span></div>
<table cellspacing="0" cellpadding="0" style="border-collapse:collapse;width:100%;font-size:13px;font-variant-numeric:tabular-nums">${rows.join("")}</table>`;
}

function bar(share: number, colour: string): string {
  const width = Math.max(0.5, Math.min(100, share * 100)).toFixed(1);
  return `<div style="white-space:nowrap;line-height:14px"><span style="display:inline-block;width:75%;vertical-align:middle"><span style="display:block;width:${width}%;height:8px;border-radius:2px;background:${colour}"></span></span> <span style="font-size:11px;vertical-align:middle">${percent(share)}</span></div>`;
}

function cell(text: string, style: string): string {
  return `<td style="padding:3px 12px 3px 0;${style}">${escaped(text)}</td>`;
}

function headCell(text: string, align: "left" | "right"): string {
  return `<th style="padding:3px 12px 3px 0;text-align:${align};font-weight:400;${MUTED};border-bottom:${LINE}">${escaped(text)}</th>`;
}

function acknowledgeBlock(command: string): string {
  return `<div style="font-size:13px">To acknowledge, which ends the reminders:</div>
<pre style="margin:6px 0 0;padding:10px 12px;border:${LINE};border-radius:6px;font-size:12px;white-space:pre-wrap;word-break:break-all">${escaped(command)}</pre>`;
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
