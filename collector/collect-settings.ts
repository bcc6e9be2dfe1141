import { ServiceError } from "../schema/errors.ts";
import type { StoredType } from "../store/models.ts";
import type { Redaction } from "./sidecar/redact.ts";

/** What is collected of one model. */
export interface ModelCollectSettings {
  /** Share of the records that is kept, by their ids; errors are kept whatever it is. */
  readonly sample?: number | undefined;
  /** What is done to features and outputs before anything is written. */
  readonly redact?: readonly Redaction[] | undefined;
  /** Types of features and outputs, by name; of others the first value decides. */
  readonly types?: Readonly<Record<string, StoredType>> | undefined;
}

/** What is collected of models, by name; of others everything is. */
export interface CollectSettings {
  readonly models: Readonly<Record<string, ModelCollectSettings>>;
  /** For hashing. */
  readonly redactKey?: string | undefined;
}

/** The same for one model, as its rows are read. */
export interface CollectRules {
  readonly share: number;
  readonly redactions: ReadonlyMap<string, Redaction>;
  readonly redactKey: string;
  readonly types: ReadonlyMap<string, StoredType>;
}

/** @throws ServiceError `invalid-config` when something is to be hashed and there is no key. */
export function collectRules(settings: CollectSettings | undefined, model: string): CollectRules {
  const own = settings && Object.hasOwn(settings.models, model) ? settings.models[model] : undefined;
  const redactions = new Map((own?.redact ?? []).map((redaction) => [redaction.name, redaction]));
  const hashed = [...redactions.values()].find(({ how }) => how === "hash");
  if (hashed && !settings?.redactKey) {
    throw new ServiceError(
      "invalid-config",
      `models.${model}.redact.${hashed.name} is to be hashed: set redact_key (LEEWAY_REDACT_KEY)`,
    );
  }
  // What is redacted is text, or nothing.
  const types = new Map(Object.entries(own?.types ?? {}).filter(([name]) => !redactions.has(name)));
  return { share: own?.sample ?? 1, redactions, redactKey: settings?.redactKey ?? "", types };
}
