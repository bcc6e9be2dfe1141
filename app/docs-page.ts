import { html, raw } from "hono/html";
import type { ApiDocument, Content, Operation, Parameter, Schema } from "./openapi.ts";

type Html = ReturnType<typeof html>;

interface Call {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
}

/** The API as one page to be read: calls by tag, each with parameters, body and an example. No script, nothing from elsewhere. */
export function docsPage(document: ApiDocument, publicUrl: string): Html {
  const groups = groupByTag(document);
  return page(
    "Leeway API",
    html`<h1>Leeway API <small>${document.info.version}</small></h1>
      <p>${document.info.description}</p>
      <p>Base address <code>${publicUrl}</code>. Machine-readable: <a href="/openapi.json">/openapi.json</a>. Where keys are
        configured, send <code>Authorization: Bearer &lt;key&gt;</code>. Errors are
        <a href="#schema-Problem">problem documents</a> with a <code>code</code>. Times are RFC 3339.</p>
      <nav>${[...groups].map(([tag, calls]) => contents(tag, calls))}
        <h4><a href="#schemas">Schemas</a></h4></nav>
      ${[...groups].map(
        ([tag, calls]) =>
          html`<h2 id="tag-${tag}">${tag}</h2>${calls.map((call) => callSection(call, publicUrl))}`,
      )}
      <h2 id="schemas">Schemas</h2>
      ${Object.entries(document.components?.schemas ?? {})
        .sort(([a], [b]) => a.localeCompare(b))
        .map(
          ([name, schema]) =>
            html`<section id="schema-${name}"><h3>${name}</h3>${schemaView(schema)}</section>`,
        )}`,
  );
}

/** What a browser sees that opens the server's address. */
export function frontPage(version: string): Html {
  return page(
    "Leeway",
    html`<h1>Leeway <small>${version}</small></h1>
      <p>Watches machine-learning models in production: collects what they are asked and answer, compares it with the
        training data, alerts, and asks for retraining.</p>
      <ul>
        <li><a href="/docs">API, to be read</a> · <a href="/openapi.json">for machines</a></li>
        <li><a href="/metrics">Metrics</a> for Prometheus; <code>leeway dashboards export DIR</code> writes the Grafana dashboard</li>
        <li><a href="/v1/events">Events</a> · <a href="/v1/alerts">Alerts</a></li>
        <li><a href="/healthz">Alive</a> · <a href="/readyz">ready</a></li>
      </ul>`,
  );
}

function groupByTag(document: ApiDocument): Map<string, Call[]> {
  const groups = new Map<string, Call[]>();
  for (const [path, operations] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      const tag = capitalised(operation.tags?.[0] ?? "Other");
      const call = {
        id: `${method}-${path.replaceAll(/[^\w]+/g, "-")}`,
        method: method.toUpperCase(),
        path,
        operation,
      };
      groups.set(tag, [...(groups.get(tag) ?? []), call]);
    }
  }
  return groups;
}

function capitalised(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function contents(tag: string, calls: readonly Call[]): Html {
  return html`<h4><a href="#tag-${tag}">${tag}</a></h4><ul>${calls.map(
    ({ id, method, path, operation }) =>
      html`<li><b class="${method}">${method}</b> <a href="#${id}">${breakable(path)}</a> <span>${operation.summary ?? ""}</span></li>`,
  )}</ul>`;
}

/** A long path may go on in the next line before each slash. */
function breakable(path: string): Html {
  return html`${path.split("/").map((part, i) => (i === 0 ? part : html`<wbr>/${part}`))}`;
}

function callSection({ id, method, path, operation }: Call, publicUrl: string): Html {
  return html`<section id="${id}">
    <h3><b class="${method}">${method}</b> <code>${breakable(path)}</code></h3>
    <p><strong>${operation.summary ?? ""}</strong></p>
    <p>${operation.description ?? ""}</p>
    ${parameterTable(operation.parameters ?? [])}
    ${operation.requestBody ? html`<h4>Body</h4>${contentView(operation.requestBody.content)}` : ""}
    <h4>Answers</h4>
    <table>${Object.entries(operation.responses).map(
      ([status, response]) =>
        html`<tr><td><code>${status === "default" ? "otherwise" : status}</code></td><td>${response.description ?? ""}</td><td>${contentNames(response.content)}</td></tr>`,
    )}</table>
    <h4>Example</h4><pre>${curlExample({ method, path, operation }, publicUrl)}</pre>
  </section>`;
}

function parameterTable(parameters: readonly Parameter[]): Html | "" {
  if (parameters.length === 0) return "";
  return html`<h4>Parameters</h4><table>${parameters.map(
    ({ name, in: place, required, description, schema }) =>
      html`<tr><td><code>${name}</code></td><td>${place}${required ? "" : ", optional"}: ${typeText(schema ?? {})}</td>
        <td>${aboutText(description, schema)}</td></tr>`,
  )}</table>`;
}

/** What it is for, with words in backticks as code, and its default. */
function aboutText(description: string | undefined, schema: Schema | undefined): Html {
  const text = description ?? String(schema?.description ?? "");
  const words = text.split("`").map((part, i) => (i % 2 === 1 ? html`<code>${part}</code>` : part));
  const fallback = schema?.default;
  if (fallback === undefined) return html`${words}`;
  return html`${words}${text === "" || text.endsWith(".") ? "" : "."} Default <code>${JSON.stringify(fallback)}</code>.`;
}

function contentView(content: Content): Html[] {
  return Object.entries(content).map(
    ([type, { schema }]) => html`<p><code>${type}</code></p>${schema ? schemaView(schema) : ""}`,
  );
}

function contentNames(content: Content | undefined): Html[] | "" {
  if (!content) return "";
  return Object.entries(content).map(
    ([type, { schema }]) => html`<code>${type}</code> ${typeText(schema ?? {})} `,
  );
}

/** The properties of an object as a table; the type alone for anything else. */
function schemaView(schema: Schema): Html {
  const alternatives = (schema.oneOf ?? schema.anyOf) as readonly Schema[] | undefined;
  if (alternatives) {
    return html`<p>One of:</p>${alternatives.map((alternative) => schemaView(alternative))}`;
  }
  const properties = schema.properties as Readonly<Record<string, Schema>> | undefined;
  if (!properties) return html`<p>${typeText(schema)} ${aboutText(undefined, schema)}</p>`;
  const required = new Set(schema.required as readonly string[] | undefined);
  return html`<table>${Object.entries(properties).map(
    ([name, property]) =>
      html`<tr><td><code>${name}</code></td>
        <td>${required.has(name) && property.default === undefined ? "" : "optional: "}${typeText(property)}</td>
        <td>${aboutText(undefined, property)}</td></tr>`,
  )}</table>`;
}

function typeText(schema: Schema): Html {
  if (typeof schema.$ref === "string") {
    const name = schema.$ref.split("/").at(-1) ?? "";
    return html`<a href="#schema-${name}">${name}</a>`;
  }
  if (schema.const !== undefined) return html`<code>${JSON.stringify(schema.const)}</code>`;
  if (Array.isArray(schema.enum)) return html`${schema.enum.map((word) => JSON.stringify(word)).join(" | ")}`;
  const alternatives = (schema.oneOf ?? schema.anyOf ?? schema.allOf) as readonly Schema[] | undefined;
  if (alternatives) return html`${alternatives.map((one, i) => html`${i > 0 ? " | " : ""}${typeText(one)}`)}`;
  if (schema.type === "array") return html`list of ${typeText((schema.items ?? {}) as Schema)}`;
  const type = Array.isArray(schema.type) ? schema.type.join(" | ") : String(schema.type ?? "anything");
  const bounds = [
    schema.minimum === undefined ? "" : `≥ ${schema.minimum}`,
    schema.maximum === undefined ? "" : `≤ ${schema.maximum}`,
  ].filter((bound) => bound !== "");
  return html`${[type, schema.format, ...bounds].filter((part) => part !== undefined).join(" ")}`;
}

function curlExample({ method, path, operation }: Omit<Call, "id">, publicUrl: string): string {
  const body = operation.requestBody?.content;
  const type = body
    ? (Object.keys(body).find((name) => name === "application/json") ?? Object.keys(body)[0])
    : undefined;
  const query = (operation.parameters ?? [])
    .filter((parameter) => parameter.in === "query" && parameter.required)
    .map(({ name }) => `${name}=…`);
  const address = `${publicUrl}${path}${query.length > 0 ? `?${query.join("&")}` : ""}`;
  return [
    `curl ${method === "GET" ? "" : `-X ${method} `}'${address}'`,
    ...(operation.security?.length === 0 ? [] : ['-H "Authorization: Bearer $LEEWAY_API_KEY"']),
    ...(type
      ? [`-H 'Content-Type: ${type}'`, type === "application/json" ? "-d '{…}'" : "--data-binary @FILE"]
      : []),
  ].join(" \\\n  ");
}

function page(title: string, body: Html): Html {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><style>${raw(STYLE)}</style></head><body>${body}</body></html>`;
}

const STYLE = `
:root { color-scheme: light dark; --line: #8883; --faint: #8882; --mark: #27c; }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere; }
a { color: light-dark(#05a, #7bf); text-decoration: none; } a:hover, p a, td a, li > a:only-child { text-decoration: underline; }
h1 { margin-bottom: .5rem; } h1 small { font-size: 50%; opacity: .7; }
h2 { margin-top: 3rem; border-bottom: 1px solid var(--line); } h4 { margin: 1rem 0 .25rem; }
section { border: 1px solid var(--line); border-radius: 8px; padding: .5rem 1.25rem 1rem; margin: 1rem 0; }
section h3 { margin: .5rem 0; } section p { margin: .5rem 0; }
:target { scroll-margin-top: 1rem; outline: 2px solid var(--mark); }
code, pre, nav b, nav li a, h3 b { font-family: ui-monospace, monospace; font-size: 90%; }
pre { background: var(--faint); padding: .5rem .75rem; overflow-x: auto; border-radius: 4px; overflow-wrap: normal; }
nav { border: 1px solid var(--line); border-radius: 8px; padding: 0 1.25rem 1rem; }
nav ul { list-style: none; padding: 0; margin: 0; }
nav li { display: grid; grid-template-columns: 4rem 27rem 1fr; gap: .75rem; padding: .15rem 0; align-items: baseline; }
nav span { opacity: .8; }
nav b, h3 b { justify-self: start; padding: 0 .4rem; border-radius: 3px; font-size: 80%; color: #fff; background: #666; }
b.GET { background: #17703f; } b.PUT { background: #8a5a00; } b.POST { background: #1d5fa8; } b.DELETE { background: #b02a2a; }
table { border-collapse: collapse; width: 100%; table-layout: fixed; }
td { padding: .25rem .75rem .25rem 0; vertical-align: top; border-top: 1px solid var(--line); }
td:first-child { width: 13rem; } td:nth-child(2) { width: 17rem; }
@media (max-width: 50rem) {
  body { margin-top: 1rem; } nav li { grid-template-columns: 4rem 1fr; } nav span { grid-column: 2; margin-top: -.6rem; }
  table, tbody, tr, tr td { display: block; width: auto; } td { border: 0; padding: 0; } tr { border-top: 1px solid var(--line); padding: .35rem 0; }
}
`;
