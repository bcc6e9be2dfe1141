import { uuidv7 } from "uuidv7";
import { cloudEventOf, emit } from "../events/events.ts";
import type { Acknowledgement, Alert, AlertRuleSpec } from "../schema/alert.ts";
import { severity } from "../schema/alert.ts";
import type { WindowResult } from "../schema/drift-result.ts";
import { ServiceError } from "../schema/errors.ts";
import { type AlertQuery, AlertStore, alertRules } from "../store/alerts.ts";
import type { Transaction } from "../store/database.ts";
import type { NamedSpec, NamedSpecs } from "../store/named-specs.ts";
import { newestWindowEnd } from "../store/newest-window.ts";
import { CHANNEL, Channels, type ChannelsOptions } from "./channels.ts";
import { type AlertChoice, decideAlert, type JudgedWindow, meaningOf } from "./decide.ts";
import { alertEvent, type Notification, notificationOf } from "./notification.ts";
import { affected, type Occasion, summaryOfWindow } from "./story.ts";

/** A notification waits this long for a newer one about the same thing: a catch-up over many windows ends in one. */
const SETTLE_MS = 10_000;

export interface AlertsOptions extends ChannelsOptions {
  /** Where people reach this service; without a slash at the end. */
  readonly publicUrl: () => string;
  readonly settleMs?: number;
}

/** What was decided for one rule after one window. */
export interface AlertDecision extends AlertChoice {
  readonly rule: string;
  /** The alert it is about, where there is one. */
  readonly alert: string | null;
}

/** Rules, the alerts that came of them, and who is told. */
export class Alerts {
  readonly channels: Channels;
  readonly #parts: AlertsOptions;
  readonly #store: AlertStore;
  readonly #rules: NamedSpecs<AlertRuleSpec>;

  constructor(parts: AlertsOptions) {
    this.#parts = parts;
    this.#store = new AlertStore(parts.database);
    this.#rules = alertRules(parts.database);
    this.channels = new Channels(parts);
  }

  /**
   * Decides, for every rule that is about the monitor, whether people are told of the window. Everything that follows
   * (alert, messages, events) is written in the caller's transaction.
   *
   * @param history - Windows of the monitor, newest first, this one included; columns are not needed.
   */
  async onWindow(
    tx: Transaction,
    result: WindowResult,
    history: readonly JudgedWindow[],
  ): Promise<readonly AlertDecision[]> {
    const rules = (await this.#rules.list(tx)).filter(
      ({ spec }) => matches(spec.model, result.model) && matches(spec.monitor, result.monitor),
    );
    if (rules.length === 0) return [];
    const newestWindowTo = (await newestWindowEnd(tx, result))?.toISOString();
    const decisions: AlertDecision[] = [];
    for (const { name, spec } of rules) {
      const previous = await this.#store.latest(tx, {
        rule: name,
        model: result.model,
        monitor: result.monitor,
      });
      const now = this.#parts.now();
      const choice = decideAlert({ rule: spec, previous, windows: history, newestWindowTo, now });
      const open = previous?.state === "resolved" ? undefined : previous;
      const alert = await this.#apply(tx, { rule: { name, spec }, open, choice, result, history, now });
      decisions.push({ rule: name, alert: alert?.id ?? null, ...choice });
    }
    return decisions;
  }

  async #apply(tx: Transaction, step: Step): Promise<Alert | undefined> {
    const { choice, open, rule, result, now } = step;
    if (choice.action === "fire") {
      const owner = rule.spec.owner ?? (await this.#store.monitorOwner(tx, result));
      const alert = firedAlert(step, owner);
      await this.#store.add(tx, alert);
      await this.#tell(tx, step, alert, "fire");
      return alert;
    }
    if (!open) return undefined;
    if (choice.action === "resolve") {
      const resolved = {
        ...open,
        state: "resolved",
        last_window_to: result.to,
        last_notified_at: now.toISOString(),
        resolved_at: now.toISOString(),
      } as const;
      await this.#store.update(tx, resolved);
      await this.#tell(tx, step, resolved, "resolve");
      return resolved;
    }
    if (SILENT_REASONS.has(choice.reason)) return open;
    const alert = {
      ...open,
      ...stateOf(step, open),
      ...(choice.action === "remind" ? { last_notified_at: now.toISOString() } : {}),
    };
    await this.#store.update(tx, alert);
    if (choice.action === "remind") await this.#tell(tx, step, alert, "remind");
    else if (choice.reason === "still-firing" && meaningOf(rule.spec, result) === "bad")
      await this.#refreshUnsent(tx, step, alert);
    return alert;
  }

  /** Puts a message in for each channel of the rule; firing and resolving also go to the event feed. */
  async #tell(tx: Transaction, step: Step, alert: Alert, occasion: Occasion): Promise<void> {
    const told = {
      alert,
      occasion,
      reason: step.choice.reason,
      result: step.result,
      publicUrl: this.#parts.publicUrl(),
    };
    const event =
      occasion === "remind"
        ? cloudEventOf(alertEvent(told), step.now)
        : await emit(tx, alertEvent(told), step.now);
    const notification = notificationOf(told, { event, mailId: uuidv7() });
    for (const channel of step.rule.spec.channels) await this.#enqueue(tx, { alert, channel, notification });
  }

  /** What has not been sent yet is told of the newest window instead. */
  async #refreshUnsent(tx: Transaction, step: Step, alert: Alert): Promise<void> {
    for (const channel of step.rule.spec.channels) {
      const waiting = await this.#parts.outbox.waiting(tx, coalesceKey(alert, channel));
      if (waiting === undefined) continue;
      const { occasion, event } = JSON.parse(waiting) as Notification; // written by #enqueue
      if (occasion !== "fire") continue;
      const told = {
        alert,
        occasion,
        reason: "first",
        result: step.result,
        publicUrl: this.#parts.publicUrl(),
      } as const;
      const refreshed = { ...event, data: { ...alertEvent(told).data } };
      const notification = notificationOf(told, { event: refreshed, mailId: uuidv7() });
      await this.#enqueue(tx, { alert, channel, notification });
    }
  }

  async #enqueue(
    tx: Transaction,
    {
      alert,
      channel,
      notification,
    }: { readonly alert: Alert; readonly channel: string; readonly notification: Notification },
  ): Promise<void> {
    await this.#parts.outbox.enqueue(tx, {
      target: { kind: CHANNEL, name: channel },
      about: alert.id,
      body: JSON.stringify(notification),
      coalesceKey: coalesceKey(alert, channel),
      settleMs: this.#parts.settleMs ?? SETTLE_MS,
    });
  }

  /** @throws ServiceError `invalid-input` when the rule names a channel that is not there. */
  async putRule(name: string, spec: AlertRuleSpec): Promise<void> {
    await this.#parts.database.transaction(async (tx) => {
      const known = await this.channels.names(tx);
      const unknown = spec.channels.filter((channel) => !known.includes(channel));
      if (unknown.length > 0) {
        throw new ServiceError(
          "invalid-input",
          `alert rule "${name}" names the channel "${unknown[0]}", which is not there: ${known.length > 0 ? `there are ${known.join(", ")}` : `PUT /v1/channels/${unknown[0]} makes it`}`,
        );
      }
      await this.#rules.put(tx, { name, spec, now: this.#parts.now() });
      if (!spec.enabled) await this.#end(tx, { rule: name }, "the rule was disabled");
    });
    await this.showFiring();
  }

  rule(name: string): Promise<NamedSpec<AlertRuleSpec>> {
    return this.#rules.get(name);
  }

  rules(): Promise<NamedSpec<AlertRuleSpec>[]> {
    return this.#rules.list();
  }

  /** Its alerts stay, and those that are open end. */
  async removeRule(name: string): Promise<void> {
    await this.#rules.get(name);
    await this.#parts.database.transaction(async (tx) => {
      await this.#rules.remove(tx, name);
      await this.#end(tx, { rule: name }, "the rule was deleted");
    });
    await this.showFiring();
  }

  /** @throws ServiceError `conflict` when a rule still names the channel. */
  async removeChannel(name: string): Promise<void> {
    const users = (await this.#rules.list()).filter(({ spec }) => spec.channels.includes(name));
    if (users.length > 0) {
      throw new ServiceError(
        "conflict",
        `channel "${name}" is named by ${users.map((rule) => rule.name).join(", ")}: take it out of those rules first`,
      );
    }
    await this.channels.remove(name);
  }

  /** Ends what is open on a monitor that is no longer watched. */
  async endForMonitor(model: string, monitor: string): Promise<void> {
    await this.#parts.database.transaction((tx) =>
      this.#end(tx, { model, monitor }, "the monitor was deleted"),
    );
    await this.showFiring();
  }

  async list(query: AlertQuery): Promise<Alert[]> {
    return this.#store.list(query);
  }

  /** Ends the reminders. Doing it again changes who and why. @throws ServiceError `not-found` or `conflict`. */
  async acknowledge(id: string, { by, why }: Acknowledgement): Promise<Alert> {
    const acknowledged = await this.#parts.database.transaction(async (tx) => {
      const alert = await this.#store.get(id, tx);
      if (alert.state === "resolved")
        throw new ServiceError(
          "conflict",
          `alert ${id} resolved at ${alert.resolved_at}: there is nothing left to acknowledge`,
        );
      const changed = {
        ...alert,
        state: "acknowledged",
        acknowledged_by: by,
        acknowledged_why: why,
      } as const;
      await this.#store.update(tx, changed);
      return changed;
    });
    await this.showFiring();
    return acknowledged;
  }

  /** Sets the gauge of alerts that fire. Call it at start and after windows were checked. */
  async showFiring(): Promise<void> {
    const firing = await this.#store.firing();
    for (const level of severity.options)
      this.#parts.metrics.set("leeway_alerts_firing", { severity: level }, firing.get(level) ?? 0);
  }

  /** Open alerts that nothing will resolve any more: closed without a message to people, with an event. */
  async #end(
    tx: Transaction,
    of: { readonly rule: string } | { readonly model: string; readonly monitor: string },
    why: string,
  ): Promise<void> {
    const now = this.#parts.now();
    const names = await this.channels.names(tx);
    for (const alert of await this.#store.open(tx, of)) {
      await this.#store.update(tx, { ...alert, state: "resolved", resolved_at: now.toISOString() });
      for (const channel of names) await this.#parts.outbox.withdraw(tx, coalesceKey(alert, channel));
      const { id, rule, model, monitor } = alert;
      await emit(
        tx,
        {
          type: "dev.leeway.alert.resolved",
          subject: `alerts/${id}`,
          data: { alert_id: id, rule, model, monitor, reason: why },
        },
        now,
      );
    }
  }
}

interface Step {
  readonly rule: Pick<NamedSpec<AlertRuleSpec>, "name" | "spec">;
  /** The alert that is not over. */
  readonly open: Alert | undefined;
  readonly choice: AlertChoice;
  readonly result: WindowResult;
  readonly history: readonly JudgedWindow[];
  readonly now: Date;
}

/** Reasons on which an open alert is left as it is. */
const SILENT_REASONS: ReadonlySet<string> = new Set([
  "superseded",
  "disabled",
  "too-few-says-nothing",
  "error-says-nothing",
  "quality-says-nothing",
]);

function firedAlert(step: Step, owner: string | null): Alert {
  const { rule, result, now } = step;
  return {
    id: uuidv7(),
    rule: rule.name,
    model: result.model,
    monitor: result.monitor,
    state: "firing",
    ...stateOf(step, undefined),
    since: badSince(step),
    last_notified_at: now.toISOString(),
    acknowledged_by: null,
    acknowledged_why: null,
    resolved_at: null,
    owner,
  };
}

/** What the window says of the alert. A good window within a firing alert leaves the last bad one's words. */
function stateOf({ rule, result }: Step, open: Alert | undefined) {
  const bad = meaningOf(rule.spec, result) === "bad";
  return {
    severity: rule.spec.severity,
    summary: bad || !open ? summaryOfWindow(result) : open.summary,
    features: bad || !open ? affected(result).map(({ name }) => name) : open.features,
    last_window_to: result.to,
  };
}

/** Start of the first of the bad windows in a row that end with the newest; windows that say nothing do not break the row. */
function badSince({ rule, result, history }: Step): string {
  let since = result.from;
  for (const window of history) {
    const meaning = meaningOf(rule.spec, window);
    if (meaning === "good") break;
    if (meaning === "bad") since = window.from;
  }
  return since;
}

function coalesceKey({ rule, model, monitor }: Alert, channel: string): string {
  return `alert/${rule}/${model}/${monitor}/${channel}`;
}

/** `*` in the pattern stands for any text. */
function matches(pattern: string, name: string): boolean {
  const expression = pattern.split("*").map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${expression.join(".*")}$`, "s").test(name);
}
