interface Prepared {
  readonly model: string;
  /** Not known yet while references such as `@champion` are looked up: then any version of the model may be meant. */
  readonly versions: ReadonlySet<string> | "any";
}

/** Which versions deployments are about to serve: they are in use before a plan of theirs is live. */
export class VersionsInPreparation {
  readonly #byDeployment = new Map<string, Prepared>();

  /** Until `end`, the versions count as used by the deployment; all of the model when none are named. */
  begin(deployment: string, model: string, versions?: readonly string[]): void {
    this.#byDeployment.set(deployment, { model, versions: versions ? new Set(versions) : "any" });
  }

  end(deployment: string): void {
    this.#byDeployment.delete(deployment);
  }

  /** In words, which deployment is about to serve a version. */
  userOf(model: string, version: string): string | undefined {
    for (const [name, { model: of, versions }] of this.#byDeployment)
      if (of === model && (versions === "any" || versions.has(version)))
        return `deployment "${name}", which is being changed,`;
    return undefined;
  }
}
