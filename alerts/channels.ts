import { isIP } from "node:net";
import { uuidv7 } from "uuidv7";
import type { DeliveryOutcome } from "../events/delivery.ts";
import type { DeliveryEnd, DeliveryReport, Outbox, OutboxTarget } from "../events/outbox.ts";
import { postWebhook } from "../events/post-webhook.ts";
import { type PrivateAddresses, refusal } from "../events/private-address.ts";
import { maskWebhook } from "../events/redact.ts";
import type { ChannelSpec } from "../schema/alert.ts";
import { ServiceError } from "../schema/errors.ts";
import type { Metrics } from "../schema/metrics.ts";
import { channels } from "../store/alerts.ts";
import type { Database, Transaction } from "../store/database.ts";
import { DisabledTargets, type NamedSpec, type NamedSpecs } from "../store/named-specs.ts";
import type { OutboxMessage } from "../store/outbox.ts";
import { type EmailOptions, sendMail } from "./email.ts";
import { type Notification, testNotification } from "./notification.ts";

export const CHANNEL = "channel";
const TEST_TIMEOUT_MS = 20_000;

export interface ChannelsOptions {
  readonly database: Database;
  readonly outbox: Outbox;
  readonly email: EmailOptions | undefined;
  readonly privateAddresses: PrivateAddresses;
  readonly metrics: Metrics;
  readonly now: () => Date;
}

/** Ways to tell people: named, kept with their secrets, which never come out again. */
export class Channels implements OutboxTarget {
  readonly #parts: ChannelsOptions;
  readonly #specs: NamedSpecs<ChannelSpec>;
  readonly #disabled: DisabledTargets;

  constructor(parts: ChannelsOptions) {
    this.#parts = parts;
    this.#specs = channels(parts.database);
    this.#disabled = new DisabledTargets(parts.database, "channels");
    parts.outbox.register(CHANNEL, this);
  }

  /** Makes the channel, changes it, or enables it again. */
  async put(name: string, spec: ChannelSpec): Promise<void> {
    this.#check(name, spec);
    await this.#parts.database.transaction(async (tx) => {
      await this.#specs.put(tx, { name, spec, now: this.#parts.now() });
      await this.#disabled.enable(tx, name);
    });
  }

  async names(reads: Pick<Transaction, "all"> = this.#parts.database): Promise<string[]> {
    return (await this.#specs.list(reads)).map(({ name }) => name);
  }

  /** The channel with its secrets masked. */
  async show(name: string) {
    return this.#shown(await this.#specs.get(name));
  }

  async list() {
    return Promise.all((await this.#specs.list()).map((stored) => this.#shown(stored)));
  }

  async remove(name: string): Promise<void> {
    await this.#specs.get(name);
    await this.#parts.database.transaction((tx) => this.#specs.remove(tx, name));
  }

  /**
   * Sends a test at once, past the outbox, so that the answer tells how it went.
   * @throws ServiceError `upstream-failed`.
   */
  async test(name: string): Promise<string> {
    const { spec } = await this.#specs.get(name);
    const id = `test_${uuidv7()}`;
    const notification = testNotification(name, { id, now: this.#parts.now() });
    const outcome = await this.#deliver(spec, { id, notification }, AbortSignal.timeout(TEST_TIMEOUT_MS));
    if (outcome.result === "delivered") return outcome.note ?? "delivered";
    throw new ServiceError("upstream-failed", `channel "${name}" did not take the test: ${outcome.error}`);
  }

  async send(message: OutboxMessage, signal: AbortSignal): Promise<DeliveryOutcome> {
    const channel = await this.#specs.find(message.target_name);
    if (!channel) return { result: "refused", error: `channel "${message.target_name}" has been deleted` };
    const disabled = await this.#disabled.find(channel.name);
    if (disabled) {
      return {
        result: "refused",
        error: `channel "${channel.name}" is disabled since ${disabled.at} (${disabled.why}): PUT /v1/channels/${channel.name} enables it again`,
      };
    }
    const notification = JSON.parse(message.body) as Notification; // written by Alerts
    return this.#deliver(channel.spec, { id: message.id, notification }, signal);
  }

  async finished(tx: Transaction, message: OutboxMessage, { outcome, at }: DeliveryEnd): Promise<void> {
    if (outcome.result === "gone")
      await this.#disabled.disable(tx, { name: message.target_name, at, why: outcome.error });
  }

  count(message: OutboxMessage, outcome: DeliveryReport["outcome"]): void {
    this.#parts.metrics.count("leeway_notifications_total", { channel: message.target_name, outcome });
  }

  #deliver(
    spec: ChannelSpec,
    { id, notification }: { readonly id: string; readonly notification: Notification },
    signal: AbortSignal,
  ): Promise<DeliveryOutcome> {
    const { email, privateAddresses, now } = this.#parts;
    if (spec.type === "webhook") {
      const body = JSON.stringify(notification.event);
      const webhook = { target: spec, id, contentType: "application/cloudevents+json", body };
      return postWebhook(webhook, { privateAddresses, signal, now });
    }
    if (email) return sendMail(notification.mail, spec, { options: email, signal });
    return Promise.resolve({ result: "failed", error: NO_SMTP });
  }

  #check(name: string, spec: ChannelSpec): void {
    if (spec.type === "email") {
      if (!this.#parts.email)
        throw new ServiceError("invalid-input", `channel "${name}" sends e-mail: ${NO_SMTP}`);
      return;
    }
    const host = new URL(spec.url).hostname.replace(/^\[|\]$/g, "");
    const why = isIP(host) === 0 ? undefined : refusal(host, this.#parts.privateAddresses);
    if (why)
      throw new ServiceError(
        "invalid-input",
        `channel "${name}": ${why}, and messages to such addresses are refused`,
      );
  }

  async #shown({ name, spec, created_at, updated_at }: NamedSpec<ChannelSpec>) {
    return {
      name,
      spec: spec.type === "webhook" ? maskWebhook(spec) : spec,
      health: {
        disabled: await this.#disabled.find(name),
        ...(await this.#parts.outbox.health(CHANNEL, name)),
      },
      created_at,
      updated_at,
    };
  }
}

const NO_SMTP = "no mail server is configured, set smtp_url in leeway.yaml or LEEWAY_SMTP_URL";
