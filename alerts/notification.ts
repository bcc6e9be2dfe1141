import { cloudEventOf } from "../events/events.ts";
import type { Alert } from "../schema/alert.ts";
import type { WindowResult } from "../schema/drift-result.ts";
import type { CloudEvent, EventType } from "../schema/event.ts";
import type { AlertReason } from "./decide.ts";
import type { Mail } from "./email.ts";
import { mailHtml } from "./mail-html.ts";
import { mailText } from "./mail-text.ts";
import { affected, alertStory, driftLink, type Occasion } from "./story.ts";

/** A notification in every form a channel may want, as it waits in the outbox. */
export interface Notification {
  readonly occasion: Occasion | "test";
  readonly mail: Mail;
  readonly event: CloudEvent;
}

interface Told {
  readonly alert: Alert;
  readonly occasion: Occasion;
  readonly reason: AlertReason;
  readonly result: WindowResult;
  readonly publicUrl: string;
}

/** What webhooks and the event feed say of an alert. */
export function alertEvent({ alert, occasion, reason, result, publicUrl }: Told): {
  readonly type: EventType;
  readonly subject: string;
  readonly data: Readonly<Record<string, unknown>>;
} {
  return {
    type: occasion === "resolve" ? "dev.leeway.alert.resolved" : "dev.leeway.alert.fired",
    subject: `alerts/${alert.id}`,
    data: {
      alert_id: alert.id,
      state: alert.state,
      reason,
      rule: alert.rule,
      severity: alert.severity,
      owner: alert.owner,
      model: alert.model,
      version: result.version,
      monitor: alert.monitor,
      summary: alert.summary,
      since: alert.since,
      window: {
        from: result.from,
        to: result.to,
        rows: result.rows,
        verdict: result.dataset.verdict,
        reason: result.dataset.reason,
      },
      features: affected(result)
        .slice(0, 50)
        .map(({ name, verdict, effect, p_value, cause }) => ({ name, verdict, effect, p_value, cause })),
      link: driftLink(publicUrl, result),
    },
  };
}

/** The notification of an alert; `event` is the one in the feed where there is one. */
export function notificationOf(
  told: Told,
  { event, mailId }: { readonly event: CloudEvent; readonly mailId: string },
): Notification {
  const story = alertStory(told);
  const first = `alert-${told.alert.id}`;
  const mail = { subject: story.subject, text: mailText(story), html: mailHtml(story) };
  return {
    occasion: told.occasion,
    mail:
      told.occasion === "fire"
        ? { ...mail, messageId: first }
        : { ...mail, messageId: mailId, inReplyTo: first },
    event,
  };
}

/** What a channel's test sends. */
export function testNotification(
  channel: string,
  { id, now }: { readonly id: string; readonly now: Date },
): Notification {
  const text = `This is a test of the channel "${channel}". Alerts will look different, and reach you the same way.`;
  return {
    occasion: "test",
    mail: {
      subject: `[leeway] test of channel ${channel}`,
      text: `${text}\n`,
      html: `<!doctype html><html lang="en"><body style="font-family:sans-serif"><p>${text.replaceAll('"', "&quot;")}</p></body></html>`,
      messageId: id,
    },
    event: cloudEventOf(
      { type: "dev.leeway.channel.tested", subject: `channels/${channel}`, data: { channel } },
      now,
    ),
  };
}
