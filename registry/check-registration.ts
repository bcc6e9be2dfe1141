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
  if (feature_names) checkUnique("feature_names", feature_names, "column");
  if (class_labels) checkUnique("class_labels", class_labels, "class");
  if (found) {
    if (feature_names) checkWidth(found, feature_names);
    if (class_labels) checkClasses(found, class_labels);
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

/** By the names answers and records tell columns and classes apart. */
function checkUnique(field: string, names: readonly (string | number)[], what: string): void {
  const seen = new Set<string>();
  const twice = names.find((name) => seen.size === seen.add(String(name)).size);
  if (twice === undefined) return;
  throw new ServiceError(
    "invalid-input",
    `${field} has "${twice}" twice: each ${what} needs a name of its own`,
  );
}

function checkWidth({ inputs }: ModelSignature, names: readonly string[]): void {
  const [only, ...others] = inputs;
  if (others.length > 0)
    throw new ServiceError(
      "invalid-input",
      `feature_names are for the columns of one input matrix, and this model has ${inputs.length} inputs, which have names already: ${inputs.map(({ name }) => `"${name}"`).join(", ")}`,
    );
  if (only?.shape.length !== 2) return;
  const width = only.shape[1];
  if (typeof width !== "number" || width < 0 || width === names.length) return;
  throw new ServiceError(
    "invalid-input",
    `feature_names has ${names.length} names, but input "${only.name}" of the model has ${width} columns`,
  );
}

/** One column may be the probability of the second of two classes. */
function checkClasses({ outputs }: ModelSignature, { length }: readonly (string | number)[]): void {
  const matrices = outputs.filter(({ datatype, shape }) => /^FP/.test(datatype) && shape.length === 2);
  const fits = matrices.some(({ shape: [, width] }) => {
    if (typeof width !== "number" || width < 0) return true;
    return width === length || (width === 1 && length === 2);
  });
  const [first] = matrices;
  if (fits || !first) return;
  throw new ServiceError(
    "invalid-input",
    `class_labels has ${length} names, but output "${first.name}" of the model has ${first.shape[1]} columns`,
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
