import { ServiceError } from "../schema/errors.ts";
import type { ModelFile, Registration } from "../schema/model-version.ts";
import type { ModelSignature } from "../schema/signature.ts";

/**
 * The signature of the files with the names that were given at registration, and whether all of that goes together.
 *
 * @throws ServiceError `invalid-input`, naming what does not.
 */
export function refinedSignature(
  found: ModelSignature | null,
  { feature_names, class_labels, sample }: Pick<Registration, "feature_names" | "class_labels" | "sample">,
): ModelSignature | null {
  if (found) {
    if (feature_names) checkWidth(found, feature_names);
    if (sample) checkSample(found, sample);
  }
  if (!found && !feature_names && !class_labels) return null;
  return {
    ...(found ?? { inputs: [], outputs: [] }),
    ...(feature_names === undefined ? {} : { feature_names }),
    ...(class_labels === undefined ? {} : { class_labels }),
  };
}

/** @throws ServiceError `invalid-input` when what is said of files is said of none that came. */
export function checkFilesNamed({ lineage }: Registration, files: readonly ModelFile[]): void {
  const named = lineage.environment_file;
  if (named === undefined || files.some(({ path }) => path === named)) return;
  throw new ServiceError("invalid-input", `environment_file "${named}" is none of the files that were sent`);
}

function checkWidth({ inputs }: ModelSignature, names: readonly string[]): void {
  const [only, ...others] = inputs;
  if (!only || others.length > 0 || only.shape.length !== 2) return;
  const width = only.shape[1];
  if (typeof width !== "number" || width < 0 || width === names.length) return;
  throw new ServiceError(
    "invalid-input",
    `feature_names has ${names.length} names, but input "${only.name}" of the model has ${width} columns`,
  );
}

function checkSample(signature: ModelSignature, sample: NonNullable<Registration["sample"]>): void {
  const issues = (["inputs", "outputs"] as const).flatMap((side) => {
    const known = new Set(signature[side].map(({ name }) => name));
    return (sample[side] ?? []).flatMap(({ name, shape, data }, i) => {
      const path = `sample.${side}[${i}]`;
      const size = shape.reduce((product, length) => product * length, 1);
      return [
        ...(known.has(name)
          ? []
          : [{ path, message: `the model has no such tensor "${name}": it has ${[...known].join(", ")}` }]),
        // Nested data are flattened by whoever reads them.
        ...(data.every((value) => !Array.isArray(value)) && data.length !== size
          ? [
              {
                path,
                message: `shape ${JSON.stringify(shape)} holds ${size} values, ${data.length} were given`,
              },
            ]
          : []),
      ];
    });
  });
  const missing = signature.inputs.filter(({ name }) => !sample.inputs.some((input) => input.name === name));
  for (const { name } of missing)
    issues.push({ path: "sample.inputs", message: `input "${name}" is missing` });
  if (issues[0]) {
    throw new ServiceError(
      "invalid-input",
      `the sample does not fit the model: ${issues[0].path} ${issues[0].message}`,
      {
        issues,
      },
    );
  }
}
