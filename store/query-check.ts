import { ServiceError } from "../schema/errors.ts";
import { GROWTH_LIMIT, INSERTED_CHARACTERS, ruleOf, TABLE_FUNCTIONS } from "./query-functions.ts";

/** What a query may read: names of views, as they are written. */
export interface QueryTables {
  /** In schema `views`, one per model. */
  readonly models: readonly string[];
  /** In schema `results`. */
  readonly results: readonly string[];
}

type Node = Readonly<Record<string, unknown>>;
/** Names that a `with` around the place defines, in lower case. */
type Scope = ReadonlySet<string>;

const EXPRESSIONS = new Set([
  ..."BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION".split(" "),
  ..."OPERATOR POSITIONAL_REFERENCE STAR SUBQUERY WINDOW".split(" "),
]);

/** Everything else that may have a `type`: queries, what is behind `from`, what is behind a query. */
const PARTS = new Set([
  ..."SELECT_NODE SET_OPERATION_NODE".split(" "),
  ..."BASE_TABLE TABLE_FUNCTION JOIN SUBQUERY EMPTY EXPRESSION_LIST PIVOT SHOW_REF".split(" "),
  ..."ORDER_MODIFIER LIMIT_MODIFIER LIMIT_PERCENT_MODIFIER DISTINCT_MODIFIER".split(" "),
  ..."ORDER_DEFAULT ASCENDING DESCENDING ORDER_ASCENDING ORDER_DESCENDING".split(" "),
]);

/** Other parts that people may write, and what to do instead. */
const INSTEAD: Readonly<Record<string, string>> = {
  LAMBDA: "a lambda is not taken in a query: unnest the list and use a subquery",
  RECURSIVE_CTE_NODE: "`with recursive` is not taken in a query: join the view to itself",
  PARAMETER: "a query has no parameters: write the values into it",
};

/** Schemas in which DuckDB's own functions are; the parser writes some of them itself. */
const FUNCTION_SCHEMAS = new Set(["", "main", "pg_catalog"]);

/** How many names a message lists. */
const NAMES_SHOWN = 20;

/**
 * Checks a parsed statement (as `json_serialize_sql` tells it) against what a query may be: everything in it has to be
 * known here, so that what DuckDB learns later is refused until somebody has looked at it.
 *
 * @throws ServiceError `invalid-input` that names the first part that is not taken.
 */
export function checkQuery(parsed: unknown, tables: QueryTables): void {
  new QueryCheck(tables).visit(parsed, new Set());
}

class QueryCheck {
  readonly #tables: QueryTables;
  readonly #models: ReadonlySet<string>;
  readonly #results: ReadonlySet<string>;
  #doublings = 0;

  constructor(tables: QueryTables) {
    this.#tables = tables;
    this.#models = lowerCase(tables.models);
    this.#results = lowerCase(tables.results);
  }

  visit(value: unknown, scope: Scope): void {
    if (Array.isArray(value)) {
      for (const item of value) this.visit(item, scope);
      return;
    }
    if (!isNode(value)) return;
    this.#checkKind(value);
    if (value.class === "CONSTANT") return; // a value of the caller: nothing in it is part of the statement
    if (value.class === "CAST") {
      this.visit(value.child, scope);
      return;
    }
    if (value.class === "FUNCTION" || value.class === "WINDOW") this.#checkFunction(value);
    if (value.class === undefined) {
      if (value.type === "BASE_TABLE") this.#checkTable(value, scope);
      if (value.type === "SHOW_REF") checkShow(value);
      if (value.type === "TABLE_FUNCTION") {
        this.#checkTableFunction(value, scope);
        return;
      }
    }
    const inner = this.#visitWith(value, scope);
    for (const [key, part] of Object.entries(value)) {
      if (key === "cte_map" || key === "sample") continue; // a sample holds constants only
      this.visit(part, inner);
    }
  }

  /** Visits the queries of a `with`, each of which sees those before it, and returns what the query behind it sees. */
  #visitWith(node: Node, scope: Scope): Scope {
    if (!isNode(node.cte_map)) return scope;
    const entries = Array.isArray(node.cte_map.map) ? node.cte_map.map : [];
    let inner = scope;
    for (const entry of entries) {
      if (!isNode(entry)) throw notTaken("this `with`");
      this.visit(entry.value, inner);
      inner = new Set([...inner, String(entry.key).toLowerCase()]);
    }
    return inner;
  }

  #checkKind(node: Node): void {
    const kind = node.class ?? node.type;
    if (kind === undefined || isNode(kind)) return; // a list of a kind, or what describes a value
    const known = node.class === undefined ? PARTS : EXPRESSIONS;
    if (typeof kind === "string" && known.has(kind)) return;
    const instead = typeof kind === "string" && Object.hasOwn(INSTEAD, kind) ? INSTEAD[kind] : undefined;
    if (instead) throw refused(instead);
    throw notTaken(`"${String(kind)}"`);
  }

  #checkFunction(node: Node): void {
    const name = String(node.function_name).toLowerCase();
    const place = [node.catalog, node.schema].filter((part) => part !== "" && part !== undefined).join(".");
    const children = Array.isArray(node.children) ? node.children : [];
    const rule = ruleOf(name, children.filter((child) => !isConstant(child)).length);
    if (rule.may === "no" || !FUNCTION_SCHEMAS.has(place)) {
      const called = place === "" || place === "main" ? name : `${place}.${name}`;
      throw refused(
        `the function "${clip(called)}" is not taken in a query: docs/query.md lists those that are`,
      );
    }
    this.#doublings += rule.doublings;
    if (this.#doublings > GROWTH_LIMIT) {
      throw refused(
        `the query joins or rewrites texts and lists too often (at "${name}"; || counts 1, replace 4, and ${GROWTH_LIMIT} is the most): select the parts, and put them together where you use them`,
      );
    }
    if (rule.insertedArgument === undefined) return;
    const inserted: unknown = children[rule.insertedArgument];
    const text = isConstant(inserted) && isNode(inserted.value) ? inserted.value.value : undefined;
    if (typeof text !== "string" || text.length > INSERTED_CHARACTERS) {
      throw refused(
        `what "${name}" puts in has to be a text written out, of at most ${INSERTED_CHARACTERS} characters`,
      );
    }
  }

  #checkTableFunction(node: Node, scope: Scope): void {
    const call = isNode(node.function) ? node.function : {};
    const name = String(call.function_name).toLowerCase();
    const known =
      call.class === "FUNCTION" && TABLE_FUNCTIONS.has(name) && call.schema === "" && call.catalog === "";
    if (!known) {
      throw refused(
        `the table function "${clip(name)}" is not taken in a query, which reads views only: ${this.#names()}`,
      );
    }
    this.visit(call.children, scope);
    this.visit(call.filter, scope);
    this.visit(call.order_bys, scope);
  }

  #checkTable(node: Node, scope: Scope): void {
    const schema = String(node.schema_name);
    const table = String(node.table_name);
    const known =
      schema === ""
        ? scope.has(table.toLowerCase()) || this.#models.has(table.toLowerCase())
        : schema.toLowerCase() === "views"
          ? this.#models.has(table.toLowerCase())
          : schema.toLowerCase() === "results" && this.#results.has(table.toLowerCase());
    if (known && node.catalog_name === "" && (node.at_clause ?? null) === null) return;
    const asked = [node.catalog_name, schema, table].filter((part) => part !== "").join(".");
    throw refused(`there is no "${clip(asked)}" to be queried: ${this.#names()}`);
  }

  #names(): string {
    const { models, results } = this.#tables;
    const shown = models.slice(0, NAMES_SHOWN).map((name) => `"${name}"`);
    const more = models.length > NAMES_SHOWN ? ` and ${models.length - NAMES_SHOWN} more` : "";
    const first = models.length === 0 ? "no model has records yet" : `models are ${shown.join(", ")}${more}`;
    return `${first}; results are ${results.map((name) => `results.${name}`).join(", ")}`;
  }
}

/** `describe` and `summarize` of a query are welcome; `show tables` tells of tables that are not to be seen. */
function checkShow(node: Node): void {
  const type = node.show_type;
  if (isNode(node.query) && (type === "DESCRIBE" || type === "SUMMARY")) return;
  throw refused("`show` is not taken in a query: select * from results.models lists the models");
}

function isNode(value: unknown): value is Node {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function isConstant(value: unknown): value is Node {
  return isNode(value) && value.class === "CONSTANT";
}

function lowerCase(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map((name) => name.toLowerCase()));
}

function clip(name: string): string {
  return name.length > 60 ? `${name.slice(0, 60)}…` : name;
}

function notTaken(what: string): ServiceError {
  return refused(`${what} is not taken in a query: docs/query.md says what is`);
}

function refused(message: string): ServiceError {
  return new ServiceError("invalid-input", message);
}
