import type { ModelRegistryStore } from "../store/model-registry.ts";

/** Names of the columns of models' input matrices, as registered: in memory, for those who ask at every record. */
export class FeatureNames {
  readonly #models = new Map<string, Map<string, readonly string[]>>();

  /** Those of all versions that are registered. */
  static async load(store: Pick<ModelRegistryStore, "featureNames">): Promise<FeatureNames> {
    const names = new FeatureNames();
    for (const { model, version, feature_names } of await store.featureNames()) {
      names.set(model, version, feature_names);
    }
    return names;
  }

  /** Versions are told in the order of their numbers. */
  set(model: string, version: string, names: readonly string[] | undefined): void {
    if (!names) return;
    const versions = this.#models.get(model) ?? new Map<string, readonly string[]>();
    versions.set(version, names);
    this.#models.set(model, versions);
  }

  delete(model: string, version: string): void {
    this.#models.get(model)?.delete(version);
  }

  /** Those of this version, or, where it has none or is not registered, of the newest that has any. */
  of(model: string, version: string | undefined): readonly string[] | undefined {
    const versions = this.#models.get(model);
    if (!versions) return undefined;
    return (version === undefined ? undefined : versions.get(version)) ?? [...versions.values()].at(-1);
  }
}
