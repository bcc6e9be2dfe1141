import { isIP } from "node:net";
import type { Outbox } from "../events/outbox.ts";
import { type PrivateAddresses, refusal } from "../events/private-address.ts";
import { maskWebhook } from "../events/redact.ts";
import { ServiceError } from "../schema/errors.ts";
import type { Metrics } from "../schema/metrics.ts";
import type { RetrainPolicySpec, ShownRetrainPolicy } from "../schema/retrain.ts";
import type { Database, Transaction } from "../store/database.ts";
import { DisabledTargets, type NamedSpec, type NamedSpecs } from "../store/named-specs.ts";
import { retrainPolicies } from "../store/retrain.ts";

export const RETRAIN_POLICY = "retrain-policy";

export interface PoliciesOptions {
  readonly database: Database;
  readonly outbox: Outbox;
  readonly privateAddresses: PrivateAddresses;
  readonly now: () => Date;
  readonly metrics: Metrics;
}

/** Retrain policies: named, kept with the secrets of their targets, which never come out again. */
export class Policies {
  readonly #parts: PoliciesOptions;
  readonly #specs: NamedSpecs<RetrainPolicySpec>;
  readonly #disabled: DisabledTargets;

  constructor(parts: PoliciesOptions) {
    this.#parts = parts;
    this.#specs = retrainPolicies(parts.database);
    this.#disabled = new DisabledTargets(parts.database, "retrain_policies");
  }

  /** Makes the policy, changes it, or enables its target again. */
  async put(name: string, spec: RetrainPolicySpec): Promise<void> {
    const host = new URL(spec.target.url).hostname.replace(/^\[|\]$/g, "");
    const why = isIP(host) === 0 ? undefined : refusal(host, this.#parts.privateAddresses);
    if (why)
      throw new ServiceError(
        "invalid-input",
        `retrain policy "${name}": ${why}, and messages to such addresses are refused`,
      );
    await this.#parts.database.transaction(async (tx) => {
      await this.#specs.put(tx, { name, spec, now: this.#parts.now() });
      await this.#disabled.enable(tx, name);
    });
    await this.showCounters();
  }

  /** Begins the count of runs at 0 for every model with a policy: Prometheus sees no increase in one that begins at 1. */
  async showCounters(): Promise<void> {
    for (const { spec } of await this.#specs.list()) {
      this.#parts.metrics.count("leeway_retrain_runs_total", { model: spec.model, outcome: "requested" }, 0);
    }
  }

  find(name: string): Promise<NamedSpec<RetrainPolicySpec> | undefined> {
    return this.#specs.find(name);
  }

  /** The policies on a monitor, by name. */
  async on(tx: Transaction, { model, monitor }: { readonly model: string; readonly monitor: string }) {
    return (await this.#specs.list(tx)).filter(
      ({ spec }) => spec.model === model && spec.monitor === monitor,
    );
  }

  /**
   * The policy whose target a run by hand is sent to.
   * @throws ServiceError `not-found` or `invalid-input`, naming the choices.
   */
  async forRequest(
    tx: Transaction,
    { model, policy }: { readonly model: string; readonly policy?: string | undefined },
  ) {
    if (policy !== undefined) {
      const named = await this.#specs.get(policy, tx);
      if (named.spec.model === model) return named;
      throw new ServiceError(
        "invalid-input",
        `retrain policy "${policy}" is about model "${named.spec.model}", not "${model}"`,
      );
    }
    const [only, ...others] = (await this.#specs.list(tx)).filter(({ spec }) => spec.model === model);
    if (!only) {
      throw new ServiceError(
        "not-found",
        `model "${model}" has no retrain policy, so nobody can be asked: PUT /v1/retrain-policies/NAME makes one`,
      );
    }
    if (others.length === 0) return only;
    const names = [only, ...others].map(({ name }) => name).join(", ");
    throw new ServiceError(
      "invalid-input",
      `model "${model}" has several retrain policies: name one of ${names}`,
    );
  }

  disabled(name: string) {
    return this.#disabled.find(name);
  }

  disable(
    tx: Transaction,
    why: { readonly name: string; readonly at: Date; readonly why: string },
  ): Promise<void> {
    return this.#disabled.disable(tx, why);
  }

  async show(name: string): Promise<ShownRetrainPolicy> {
    return this.#shown(await this.#specs.get(name));
  }

  async list(): Promise<ShownRetrainPolicy[]> {
    return Promise.all((await this.#specs.list()).map((stored) => this.#shown(stored)));
  }

  /** Its runs and decisions stay. */
  async remove(name: string): Promise<void> {
    await this.#specs.get(name);
    await this.#parts.database.transaction((tx) => this.#specs.remove(tx, name));
  }

  async #shown({
    name,
    spec,
    created_at,
    updated_at,
  }: NamedSpec<RetrainPolicySpec>): Promise<ShownRetrainPolicy> {
    return {
      name,
      spec: { ...spec, target: maskWebhook(spec.target) },
      health: {
        disabled: await this.#disabled.find(name),
        ...(await this.#parts.outbox.health(RETRAIN_POLICY, name)),
      },
      created_at,
      updated_at,
    };
  }
}
