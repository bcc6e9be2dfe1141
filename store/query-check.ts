import { ServiceError } from "../schema/errors.ts";
import { castGrowth } from "./query-casts.ts";
import {
  functionRule,
  hasSafePath,
  INSERTED_CHARACTERS,
  PATH_FUNCTIONS,
  TABLE_FUNCTIONS,
} from "./query-functions.ts";
import {
  checkSize,
  largest,
  lengthOf,
  NOTHING,
  ofText,
  oneMore,
  type QuerySize,
  repeated,
  together,
} from "./query-size.ts";

/** What a query may read: names of views, as they are written. */
export interface QueryTables {
  /** In schema `views`, one per model. */
  readonly models: readonly string[];
  /** In schema `results`. */
  readonly results: readonly string[];
}

export type QueryNode = Readonly<Record<string, unknown>>;

/** What the place that is looked at sees of what is around it. Names are in lower case. */
interface Scope {
  /** Queries of a `with`. */
  readonly tables: ReadonlyMap<string, QuerySize>;
  /** Columns of the same query that a name was given to. */
  readonly aliases: ReadonlyMap<string, QuerySize>;
  /** The longest that a column may be. */
  readonly column: QuerySize;
}

const EXPRESSIONS = new Set([
  ..."BETWEEN CASE CAST COLLATE COLUMN_REF COMPARISON CONJUNCTION CONSTANT FUNCTION LAMBDA".split(" "),
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
  RECURSIVE_CTE_NODE: "`with recursive` is not taken in a query: join the view to itself",
  PARAMETER: "a query has no parameters: write the values into it",
};

/** Schemas in which DuckDB's own functions are; the parser writes some of them itself. */
const FUNCTION_SCHEMAS = new Set(["", "main", "pg_catalog"]);

/** Parts of a query from which its other parts take their columns, in the order in which they see each other. */
const SOURCES = ["from_table", "left", "right", "source"] as const;

const MOST_GROUPING_SETS = 64;
/** How many names a message lists. */
const NAMES_SHOWN = 20;

/**
 * Checks a parsed statement (as `json_serialize_sql` tells it) against what a query may be: everything in it has to be
 * known here, so that what DuckDB learns later is refused until somebody has looked at it.
 *
 * @throws ServiceError `invalid-input` that names the first part that is not taken.
 */
export function checkQuery(parsed: unknown, tables: QueryTables): void {
  new QueryCheck(tables).visit(parsed, { tables: new Map(), aliases: new Map(), column: NOTHING });
}

class QueryCheck {
  readonly #tables: QueryTables;
  readonly #models: ReadonlySet<string>;
  readonly #results: ReadonlySet<string>;

  constructor(tables: QueryTables) {
    this.#tables = tables;
    this.#models = lowerCase(tables.models);
    this.#results = lowerCase(tables.results);
  }

  /** @returns How large what it makes may become. */
  visit(value: unknown, scope: Scope): QuerySize {
    if (Array.isArray(value)) return largest(value.map((item) => this.visit(item, scope)));
    if (!isNode(value)) return NOTHING;
    this.#checkKind(value);
    return checkSize(this.#visitNode(value, scope));
  }

  #visitNode(node: QueryNode, scope: Scope): QuerySize {
    switch (node.class) {
      case "CONSTANT":
        return ofText(textOf(node)); // a value of the caller: nothing in it is part of the statement
      case "COLUMN_REF":
        return largest([scope.column, ...namesOf(node).map((name) => scope.aliases.get(name) ?? NOTHING)]);
      case "POSITIONAL_REFERENCE":
        return largest([scope.column, ...scope.aliases.values()]);
      case "STAR":
        return largest([scope.column, this.#visitParts(node, scope)]);
      case "CAST":
        return repeated(this.visit(node.child, scope), castGrowth(node.cast_type));
      case "FUNCTION":
      case "WINDOW":
        return this.#visitFunction(node, scope);
      case "LAMBDA": // functions that take one are none of ours: it is `->` on JSON
        checkPath("->", node.expr);
        return this.#visitParts(node, scope);
      case "OPERATOR":
        return node.type === "ARRAY_CONSTRUCTOR"
          ? this.#visitAll(node, scope)
          : this.#visitParts(node, scope);
      case undefined:
        return this.#visitPart(node, scope);
      default:
        return this.#visitParts(node, scope);
    }
  }

  #visitPart(node: QueryNode, scope: Scope): QuerySize {
    if (node.type === "BASE_TABLE") return this.#visitTable(node, scope);
    if (node.type === "TABLE_FUNCTION") return this.#visitTableFunction(node, scope);
    if (node.type === "SHOW_REF") checkShow(node);
    if (Array.isArray(node.group_sets) && node.group_sets.length > MOST_GROUPING_SETS) {
      throw refused(
        `the query groups in ${node.group_sets.length} ways (cube, rollup, grouping sets), and ${MOST_GROUPING_SETS} is the most: take fewer columns, or ask more than once`,
      );
    }
    return this.#visitParts(node, scope);
  }

  /** Visits what is in a node: first where its columns come from, then what makes columns of them, then the rest. */
  #visitParts(node: QueryNode, outer: Scope): QuerySize {
    let scope = this.#visitWith(node, outer);
    const sizes: QuerySize[] = [];
    const done = new Set<string>(["cte_map", "sample"]); // a sample holds constants only
    for (const key of node.class === undefined ? SOURCES : []) {
      if (!(key in node)) continue;
      const size = this.visit(node[key], scope);
      sizes.push(size);
      done.add(key);
      scope = { ...scope, column: lengthOf([scope.column, size]) };
    }
    if (Array.isArray(node.select_list)) {
      done.add("select_list");
      for (const item of node.select_list) {
        const size = this.visit(item, scope);
        sizes.push(size);
        const alias = isNode(item) ? String(item.alias).toLowerCase() : "";
        if (alias !== "") scope = { ...scope, aliases: new Map(scope.aliases).set(alias, lengthOf([size])) };
      }
    }
    for (const [key, part] of Object.entries(node)) if (!done.has(key)) sizes.push(this.visit(part, scope));
    return largest(sizes);
  }

  /** Visits the queries of a `with`, each of which sees those before it, and returns what the query behind it sees. */
  #visitWith(node: QueryNode, scope: Scope): Scope {
    if (!isNode(node.cte_map)) return scope;
    const entries = Array.isArray(node.cte_map.map) ? node.cte_map.map : [];
    const tables = new Map(scope.tables);
    for (const entry of entries) {
      if (!isNode(entry)) throw notTaken("this `with`");
      const size = this.visit(entry.value, { ...scope, tables });
      tables.set(String(entry.key).toLowerCase(), size);
    }
    return { ...scope, tables };
  }

  #checkKind(node: QueryNode): void {
    const kind = node.class ?? node.type;
    if (kind === undefined || isNode(kind)) return; // a list of a kind, or what describes a value
    const known = node.class === undefined ? PARTS : EXPRESSIONS;
    if (typeof kind === "string" && known.has(kind)) return;
    const instead = typeof kind === "string" && Object.hasOwn(INSTEAD, kind) ? INSTEAD[kind] : undefined;
    if (instead) throw refused(instead);
    throw notTaken(`"${String(kind)}"`);
  }

  #visitFunction(node: QueryNode, scope: Scope): QuerySize {
    const name = String(node.function_name).toLowerCase();
    const place = [node.catalog, node.schema].filter((part) => part !== "" && part !== undefined).join(".");
    const children: readonly unknown[] = Array.isArray(node.children) ? node.children : [];
    const rule = functionRule(name, children.map(writtenText));
    if (rule.may === "no" || !FUNCTION_SCHEMAS.has(place)) {
      const called = place === "" || place === "main" ? name : `${place}.${name}`;
      const instead = rule.may === "no" ? rule.instead : undefined;
      throw refused(
        `the function "${clip(called)}" is not taken in a query: ${instead ?? "docs/sql.md lists those that are"}`,
      );
    }
    if (PATH_FUNCTIONS.has(name)) for (const path of children.slice(1)) checkPath(name, path);
    if (rule.insertedArgument !== undefined) checkInserted(name, children[rule.insertedArgument]);
    for (const place of rule.writtenArguments) checkWritten(name, place, children[place]);
    const arguments_ = children.map((child) => this.visit(child, scope));
    const { children: _, ...rest } = node;
    const given = rule.arguments === "joined" ? together(arguments_) : largest(arguments_);
    return largest([checkSize(repeated(given, rule.growth), name), this.#visitParts(rest, scope)]);
  }

  #visitAll(node: QueryNode, scope: Scope): QuerySize {
    const children: readonly unknown[] = Array.isArray(node.children) ? node.children : [];
    return together(children.map((child) => this.visit(child, scope)));
  }

  #visitTableFunction(node: QueryNode, scope: Scope): QuerySize {
    const call = isNode(node.function) ? node.function : {};
    const name = String(call.function_name).toLowerCase();
    const known =
      call.class === "FUNCTION" && TABLE_FUNCTIONS.has(name) && call.schema === "" && call.catalog === "";
    if (!known) {
      throw refused(
        `the table function "${clip(name)}" is not taken in a query, which reads views only: ${this.#names()}`,
      );
    }
    const children: readonly unknown[] = Array.isArray(call.children) ? call.children : [];
    if (PATH_FUNCTIONS.has(name)) for (const path of children.slice(1)) checkPath(name, path);
    return largest([children, call.filter, call.order_bys].map((part) => this.visit(part, scope)));
  }

  #visitTable(node: QueryNode, scope: Scope): QuerySize {
    const schema = String(node.schema_name);
    const table = String(node.table_name);
    const name = table.toLowerCase();
    const ofCaller = schema === "" ? scope.tables.get(name) : undefined;
    const known =
      schema === ""
        ? ofCaller !== undefined || this.#models.has(name)
        : schema.toLowerCase() === "views"
          ? this.#models.has(name)
          : schema.toLowerCase() === "results" && this.#results.has(name);
    const asked = [node.catalog_name, schema, table].filter((part) => part !== "").join(".");
    if (known && (node.at_clause ?? null) !== null) {
      throw refused(`"${clip(asked)}" has no earlier versions: use a condition on received_at`);
    }
    if (known && node.catalog_name === "") return oneMore(ofCaller);
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
function checkShow(node: QueryNode): void {
  const type = node.show_type;
  if (isNode(node.query) && (type === "DESCRIBE" || type === "SUMMARY")) return;
  throw refused("`show` is not taken in a query: select * from results.models lists the models");
}

/** A list of paths, or one that goes down to every depth, would give the same text many times over. */
function checkPath(name: string, node: unknown): void {
  if (isNode(node) && node.class === "CONSTANT" && hasSafePath(textOf(node))) return;
  throw refused(
    `the path of "${name}" has to be one text or number, written out and without "..": such as '$.a.b', 'a' or 0`,
  );
}

function checkInserted(name: string, node: unknown): void {
  const text = writtenText(node);
  if (text !== undefined && text.length <= INSERTED_CHARACTERS) return;
  throw refused(
    `what "${name}" puts in has to be a text written out, of at most ${INSERTED_CHARACTERS} characters`,
  );
}

function checkWritten(name: string, place: number, node: unknown): void {
  const written =
    !isNode(node) ||
    node.class === "CONSTANT" ||
    node.type === "ARRAY_CONSTRUCTOR" ||
    (node.class === "FUNCTION" && node.function_name === "list_value");
  if (written) return;
  throw refused(
    `argument ${place + 1} of "${name}" has to be a list written out, such as ['a', 'b']: otherwise unnest the lists and join them`,
  );
}

function writtenText(node: unknown): string | undefined {
  return isNode(node) && node.class === "CONSTANT" ? textOf(node) : undefined;
}

/** The text of a constant; undefined when it is another value. */
function textOf(node: QueryNode): string | undefined {
  const value = isNode(node.value) ? node.value.value : undefined;
  return typeof value === "string" ? value : undefined;
}

function namesOf({ column_names: names }: QueryNode): readonly string[] {
  return Array.isArray(names) ? names.map((name) => String(name).toLowerCase()) : [];
}

function isNode(value: unknown): value is QueryNode {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

function lowerCase(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.map((name) => name.toLowerCase()));
}

function clip(name: string): string {
  return name.length > 60 ? `${name.slice(0, 60)}…` : name;
}

function notTaken(what: string): ServiceError {
  return refused(`${what} is not taken in a query: docs/sql.md says what is`);
}

function refused(message: string): ServiceError {
  return new ServiceError("invalid-input", message);
}
