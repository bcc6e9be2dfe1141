import { ServiceError } from "../schema/errors.ts";
import type { Condition, ConditionField } from "../store/model-conditions.ts";

interface Token {
  readonly text: string;
  readonly kind: "word" | "quoted" | "operator";
}

const TOKEN =
  /\s*(?:(?<operator>!=|=|[(),])|'(?<single>(?:[^']|'')*)'|"(?<double>[^"]*)"|(?<word>(?:`[^`]*`|(?<=\.)"[^"]*"|[^\s=!(),'"`]|!(?!=))+))/y;

const FIELDS: Readonly<Record<string, ConditionField>> = {
  name: "name",
  version: "version",
  version_number: "version",
  run_id: "run_id",
  run: "run_id",
  source_path: "source",
  source: "source",
};

/**
 * Reads a search such as `name like 'churn%' and tag.env = prod europe`: conditions on `name`, `version`, `run`,
 * `tag.KEY`, with `and` between them or nothing; what is no condition is looked for in names, descriptions and tags.
 * With `form: "mlflow"` it is MLflow's filter language, in which everything is a condition and values are quoted.
 *
 * @throws ServiceError `invalid-input`, naming the place.
 */
export function parseSearch(query: string, form: "own" | "mlflow"): Condition[] {
  const tokens = tokensOf(query);
  const conditions: Condition[] = [];
  let at = 0;
  while (at < tokens.length) {
    if (isWord(tokens[at], "and") && conditions.length > 0 && at + 1 < tokens.length) {
      at++;
      continue;
    }
    const found = conditionAt(tokens, at, form);
    if (found) {
      conditions.push(found.condition);
      at = found.next;
    } else if (form === "own" && tokens[at]?.kind !== "operator") {
      conditions.push({ field: "text", operator: "ilike", values: [`%${tokens[at]?.text}%`] });
      at++;
    } else {
      throw new ServiceError(
        "invalid-input",
        `search "${query}": ${JSON.stringify(tokens[at]?.text)} is not understood; expected conditions such as name like 'churn%' and tag.env = 'prod'`,
      );
    }
  }
  return conditions;
}

function tokensOf(query: string): Token[] {
  const text = query.trim();
  const tokens: Token[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < text.length) {
    const start = TOKEN.lastIndex;
    const found = TOKEN.exec(text)?.groups;
    if (!found) {
      throw new ServiceError(
        "invalid-input",
        `search "${query}": a quote at ${JSON.stringify(text.slice(start, start + 20))} is not closed`,
      );
    }
    const { operator, single, double, word } = found;
    if (operator !== undefined) tokens.push({ kind: "operator", text: operator });
    else if (word !== undefined) tokens.push({ kind: "word", text: word });
    else tokens.push({ kind: "quoted", text: single?.replaceAll("''", "'") ?? double ?? "" });
  }
  return tokens;
}

function conditionAt(
  tokens: readonly Token[],
  at: number,
  form: "own" | "mlflow",
): { readonly condition: Condition; readonly next: number } | undefined {
  const [subject, operator, value] = tokens.slice(at, at + 3);
  if (subject?.kind !== "word" || !operator || !value) return undefined;
  const field = fieldOf(subject);
  const compare = operator.text.toLowerCase();
  if (field === undefined) return undefined;
  if (compare === "in" && value.text === "(" && value.kind === "operator")
    return listAt(tokens, at + 3, field);
  if (value.kind === "operator" || (form === "mlflow" && value.kind !== "quoted" && field !== "version"))
    return undefined;
  if (compare !== "=" && compare !== "!=" && compare !== "like" && compare !== "ilike") return undefined;
  return {
    condition: { field, operator: compare, values: [pattern(value.text, compare, form)] },
    next: at + 3,
  };
}

function fieldOf({ text }: Token): ConditionField | undefined {
  const bare = text.replaceAll(/[`"]/g, "");
  const tag = /^tags?\.(.+)$/is.exec(bare)?.[1];
  return tag === undefined ? FIELDS[bare.toLowerCase()] : { tag };
}

function listAt(
  tokens: readonly Token[],
  from: number,
  field: ConditionField,
): { readonly condition: Condition; readonly next: number } | undefined {
  const values: string[] = [];
  for (let at = from; at < tokens.length; at += 2) {
    const value = tokens[at];
    const after = tokens[at + 1];
    if (!value || value.kind === "operator" || after?.kind !== "operator") return undefined;
    values.push(value.text);
    if (after.text === ")") return { condition: { field, operator: "in", values }, next: at + 2 };
    if (after.text !== ",") return undefined;
  }
  return undefined;
}

/** In our own searches, what is like something without a wildcard contains it. */
function pattern(value: string, operator: string, form: "own" | "mlflow"): string {
  return form === "own" && operator.endsWith("like") && !value.includes("%") ? `%${value}%` : value;
}

function isWord(token: Token | undefined, word: string): boolean {
  return token?.kind === "word" && token.text.toLowerCase() === word;
}
