import { listValue } from "@duckdb/node-api";
import type { Parameters } from "./database.ts";

/** What a condition is about; `text` is what a person would look for: name, description and tags. */
export type ConditionField = "name" | "version" | "run_id" | "source" | "text" | { readonly tag: string };

/** One condition of a search. A search asks for what fulfils all of its conditions. */
export interface Condition {
  readonly field: ConditionField;
  readonly operator: "=" | "!=" | "like" | "ilike" | "in";
  /** More than one with `in` only. With `like` and `ilike`, `%` stands for any text and `_` for any character. */
  readonly values: readonly string[];
}

/** A search as SQL: conditions to be joined by `and`, and the values they are bound to. */
interface Where {
  readonly conditions: readonly string[];
  readonly parameters: Parameters;
}

/** Conditions on registered versions, in a query that calls `model_versions` v. */
export function whereVersions(conditions: readonly Condition[]): Where {
  return where(conditions, (field, compare) => {
    if (field === "name") return compare("v.model");
    if (field === "version") return compare("v.version::varchar");
    if (field === "run_id") return compare("(v.lineage->>'run_id')");
    if (field === "source") return compare("v.source");
    if (field === "text") return compare("concat_ws(' ', v.model, v.description, v.tags)");
    return (pointer) => compare(tagOf("v", pointer));
  });
}

/**
 * Conditions on models, in a query that calls what is known by name k and `registered_models` r. Tags and words are
 * those of the model and, for `versions: "count"`, those of its versions as well.
 */
export function whereModels(conditions: readonly Condition[], versions: "count" | "do-not-count"): Where {
  return where(conditions, (field, compare) => {
    const anyVersion = (column: string) =>
      versions === "count"
        ? ` or exists (select 1 from model_versions v where v.model = k.name and ${compare(column)})`
        : "";
    if (field === "name") return compare("k.name");
    if (field === "version")
      return `exists (select 1 from model_versions v where v.model = k.name and ${compare("v.version::varchar")})`;
    if (field === "run_id" || field === "source") {
      const column = field === "source" ? "v.source" : "(v.lineage->>'run_id')";
      return `exists (select 1 from model_versions v where v.model = k.name and ${compare(column)})`;
    }
    if (field === "text") {
      return `(${compare("concat_ws(' ', k.name, r.description, r.tags)")}${anyVersion("concat_ws(' ', v.description, v.tags)")})`;
    }
    return (pointer) => `(${compare(tagOf("r", pointer))}${anyVersion(tagOf("v", pointer))})`;
  });
}

type Compare = (expression: string) => string;

function where(
  conditions: readonly Condition[],
  compile: (field: ConditionField, compare: Compare) => string | ((pointer: string) => string),
): Where {
  const parameters: Record<string, Parameters[string]> = {};
  const compiled = conditions.map(({ field, operator, values }, i) => {
    parameters[`value${i}`] = operator === "in" ? listValue([...values]) : (values[0] ?? "");
    // Not equal is the opposite of equal: what has no such tag fulfils it as well.
    const compare: Compare = (expression) =>
      operator === "in"
        ? `coalesce(list_contains($value${i}, ${expression}), false)`
        : `coalesce(${expression} ${operator === "!=" ? "=" : operator} $value${i}, false)`;
    const made = compile(field, compare);
    if (typeof field === "object") parameters[`tag${i}`] = pointerTo(field.tag);
    const text = typeof made === "string" ? made : made(`$tag${i}`);
    return operator === "!=" ? `not ${text}` : text;
  });
  return { conditions: compiled, parameters };
}

function tagOf(table: string, pointer: string): string {
  return `json_extract_string(${table}.tags, ${pointer})`;
}

/** The key as a JSON pointer (RFC 6901), which, unlike a JSON path, takes any key. */
function pointerTo(key: string): string {
  return `/${key.replaceAll("~", "~0").replaceAll("/", "~1")}`;
}
