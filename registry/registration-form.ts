import { ServiceError } from "../schema/errors.ts";
import { type Registration, registration } from "../schema/model-version.ts";
import type { FormField } from "./receive-upload.ts";

type Draft = Record<string, unknown>;
type Take = (draft: Draft, value: string, name: string) => void;

const METADATA = "metadata";

/** Fields of the form beside `metadata`, which is the whole as JSON: these add to it. */
const FIELDS: Readonly<Record<string, Take>> = {
  name: text("name"),
  model: text("name"),
  description: text("description"),
  why: text("why"),
  registered_by: text("registered_by"),
  tag: pair("tags"),
  tags: (draft, value, name) => Object.assign(within(draft, "tags"), mapOf(name, value)),
  property: pair("properties"),
  properties: (draft, value, name) => Object.assign(within(draft, "properties"), mapOf(name, value)),
  run: part("lineage", "run_id"),
  run_id: part("lineage", "run_id"),
  run_url: part("lineage", "run_url"),
  dataset_hash: part("lineage", "dataset_hash"),
  environment_file: part("lineage", "environment_file"),
  parent: part("lineage", "parent"),
  lineage: (draft, value, name) => Object.assign(within(draft, "lineage"), mapOf(name, value)),
  git: (draft, value, name) => Object.assign(within(draft, "lineage"), { git: jsonOf(name, value) }),
  feature_names: listOrJson("feature_names"),
  class_labels: listOrJson("class_labels"),
  sample: (draft, value, name) => {
    draft.sample = jsonOf(name, value);
  },
};

/**
 * Reads the text fields of an upload.
 * @throws ServiceError `invalid-input`, naming the field.
 */
export function readRegistration(fields: readonly FormField[]): Registration {
  const draft: Draft = {};
  for (const { name, value } of fields) {
    if (name === METADATA) Object.assign(draft, mapOf(name, value));
  }
  for (const { name, value } of fields) {
    if (name === METADATA) continue;
    const take = Object.hasOwn(FIELDS, name) ? FIELDS[name] : undefined;
    if (!take)
      throw wrong(
        name,
        `not known here; there are ${[METADATA, ...Object.keys(FIELDS)].join(", ")}, and files`,
      );
    take(draft, value, name);
  }
  const read = registration.safeParse(draft);
  if (read.success) return read.data;
  const issues = read.error.issues.map((issue) => ({
    path: issue.path.join(".") || METADATA,
    message: "keys" in issue ? `not known here: ${issue.keys.join(", ")}` : issue.message,
  }));
  throw new ServiceError(
    "invalid-input",
    draft.name === undefined
      ? "the upload does not say which model it is of: send a field name, such as curl -F name=churn -F file=@model.onnx"
      : `the upload is not valid: ${issues[0]?.path} ${issues[0]?.message}`,
    { issues },
  );
}

function text(key: string): Take {
  return (draft, value) => {
    draft[key] = value;
  };
}

function part(of: string, key: string): Take {
  return (draft, value) => {
    within(draft, of)[key] = value;
  };
}

function pair(of: string): Take {
  return (draft, value, name) => {
    const [, key, rest] = /^([^=]+)=(.*)$/s.exec(value) ?? [];
    if (key === undefined)
      throw wrong(name, `expected KEY=VALUE, not ${JSON.stringify(value.slice(0, 100))}`);
    within(draft, of)[key] = rest;
  };
}

function listOrJson(key: string): Take {
  return (draft, value, name) => {
    draft[key] = value.trimStart().startsWith("[")
      ? jsonOf(name, value)
      : value.split(",").map((item) => item.trim());
  };
}

function within(draft: Draft, key: string): Draft {
  const known = draft[key];
  const inner: Draft = known !== null && typeof known === "object" ? (known as Draft) : {};
  draft[key] = inner;
  return inner;
}

function mapOf(name: string, value: string): Draft {
  const map = jsonOf(name, value);
  if (map === null || typeof map !== "object" || Array.isArray(map))
    throw wrong(name, "expected a JSON object");
  return map as Draft;
}

function jsonOf(name: string, value: string): unknown {
  try {
    return JSON.parse(value);
  } catch {
    throw wrong(name, "expected JSON");
  }
}

function wrong(name: string, message: string): ServiceError {
  return new ServiceError("invalid-input", `form field "${name}": ${message}`, {
    issues: [{ path: name, message }],
  });
}
