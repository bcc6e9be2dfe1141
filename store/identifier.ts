/** A name of any text, quoted for SQL: `say "hi"` becomes `"say ""hi"""`. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text quoted for SQL, where a bound parameter cannot stand (file names, view bodies). */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
