import { ServiceError } from "../schema/errors.ts";
import { versionReference } from "../schema/model-version.ts";
import { resourceName } from "../schema/names.ts";

/** A model, and which of its versions is meant: a number, `@alias`, `latest`, or undefined. */
export interface ModelReference {
  readonly model: string;
  readonly reference: string | undefined;
}

/**
 * Reads `churn`, `churn:3`, `churn:latest` or `churn@champion`.
 * @throws ServiceError `invalid-input`.
 */
export function parseModelReference(text: string): ModelReference {
  const [, model = "", version, alias] = /^([^:@]*)(?::([^@]+)|(@.+))?$/.exec(text) ?? [];
  const reference = version ?? alias;
  if (
    resourceName.safeParse(model).success &&
    (reference === undefined || versionReference.safeParse(reference).success)
  ) {
    return { model, reference };
  }
  throw new ServiceError(
    "invalid-input",
    `"${text}" is no model: expected NAME, NAME:VERSION or NAME@ALIAS, such as churn:3`,
  );
}
