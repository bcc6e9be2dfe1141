import { ServiceError } from "../schema/errors.ts";
import { columnNames } from "./column-names.ts";
import { type Cells, putCell, scalarCell } from "./feature-value.ts";
import { decodeUtf8, type JsonObject } from "./json.ts";
import { setOwn } from "./own-property.ts";
import { checkRows, type Recording } from "./recording.ts";

/**
 * The rows of a CSV text, as pandas reads one, which is what MLflow does with it.
 *
 * The first line is a header unless one of its cells is a number, as in the header-less CSV of SageMaker. A column is
 * numeric when every cell that is not missing is a number, boolean when every one is `true` or `false` in any case, else
 * text. Missing are the empty cell and `NaN`, `nan`, `NA`, `N/A`, `null`, `NULL`, `None`. Quotes make no difference to that.
 *
 * @param unnamed - Names of the columns where there is no header, from the model's signature, and the stem of the names
 *   where the signature does not have as many.
 * @throws ServiceError `invalid-input` when it is not UTF-8, a quote is not closed, a line has more or fewer cells than
 *   the first, or two columns share a name; `too-large` by the limits.
 * @see RFC 4180; pandas.read_csv.
 * @example
 * csvRows(new TextEncoder().encode("age,town\n31,Ulm\n"), { stem: "input", names: undefined }, recording); // [{ age: 31, town: "Ulm" }]
 */
export function csvRows(
  bytes: Uint8Array,
  unnamed: { readonly stem: string; readonly names: readonly string[] | undefined },
  recording: Recording,
): Cells[] {
  const lines = csvLines(decodeUtf8(bytes), recording);
  const first = lines[0];
  if (!first) throw new ServiceError("invalid-input", "the CSV has no line");
  const header = first.some(({ text, quoted }) => !quoted && isNumber(text)) ? undefined : first;
  const names =
    header?.map(({ text }, at) => text || `column_${at}`) ??
    columnNames(unnamed.stem, first.length, unnamed.names);
  const data = header ? lines.slice(1) : lines;
  checkRows(data.length, recording);
  const wrong = data.findIndex((cells) => cells.length !== first.length);
  if (wrong !== -1)
    throw new ServiceError(
      "invalid-input",
      `line ${wrong + (header ? 2 : 1)} of the CSV has ${data[wrong]?.length} cells and the first has ${first.length}`,
    );
  const rows = data.map((): Cells => ({}));
  names.forEach((name, at) => {
    const column = data.map((cells) => cells[at] as CsvCell); // as many as the first line
    const read = readerOf(column);
    rows.forEach((cells, row) => {
      const cell = column[row] as CsvCell;
      putCell(cells, name, isMissing(cell) ? null : scalarCell(read(cell.text), recording), recording);
    });
  });
  return rows;
}

/**
 * The rows of a CSV text with a header, each cell the text that it is.
 *
 * @throws ServiceError as `csvRows`.
 * @example
 * csvTexts(new TextEncoder().encode("id,n\n007,1\n"), recording); // [{ id: "007", n: "1" }]
 */
export function csvTexts(bytes: Uint8Array, recording: Recording): Record<string, string>[] {
  const [header, ...data] = csvLines(decodeUtf8(bytes), recording);
  if (!header) throw new ServiceError("invalid-input", "the CSV has no line");
  return data.map((cells, row) => {
    if (cells.length !== header.length)
      throw new ServiceError(
        "invalid-input",
        `line ${row + 2} of the CSV has ${cells.length} cells and the first has ${header.length}`,
      );
    const texts: Record<string, string> = {};
    header.forEach(({ text }, at) => {
      setOwn(texts, text, (cells[at] as CsvCell).text); // as many as the header
    });
    return texts;
  });
}

interface CsvCell {
  readonly text: string;
  readonly quoted: boolean;
}

const MISSING: ReadonlySet<string> = new Set(["", "NaN", "nan", "NA", "N/A", "null", "NULL", "None"]);
const NUMBER = /^[ \t]*[+-]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|inf|Infinity)[ \t]*$/;

function isMissing({ text }: CsvCell): boolean {
  return MISSING.has(text);
}

function isNumber(text: string): boolean {
  return text.length <= 400 && NUMBER.test(text);
}

/** How the cells of a column are read. */
function readerOf(column: readonly CsvCell[]): (text: string) => string | number | bigint | boolean {
  const present = column.filter((cell) => !isMissing(cell));
  if (present.every(({ text }) => isNumber(text))) return numberOf;
  if (present.every(({ text }) => /^(true|false)$/i.test(text)))
    return (text) => text.toLowerCase() === "true";
  return (text) => text;
}

function numberOf(text: string): number | bigint {
  const trimmed = text.trim();
  if (/inf/i.test(trimmed))
    return trimmed.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  const value = Number(trimmed);
  const exact = /^[+-]?\d{1,40}$/.test(trimmed) && !Number.isSafeInteger(value);
  return exact ? BigInt(trimmed.replace("+", "")) : value;
}

/** Cells by line. Blank lines are passed over. */
function csvLines(text: string, recording: Recording): CsvCell[][] {
  const lines: CsvCell[][] = [];
  let line: CsvCell[] = [];
  let at = 0;
  while (at < text.length) {
    const cell = text[at] === '"' ? quotedCell(text, at) : bareCell(text, at);
    at = cell.end;
    line.push(cell);
    if (text[at] === ",") {
      at++;
      if (at === text.length) line.push({ text: "", quoted: false });
      else continue;
    }
    if (lines.length > recording.limits.rows) checkRows(lines.length, recording);
    if (line.length > 1 || cell.quoted || cell.text !== "") lines.push(line);
    line = [];
    if (text[at] === "\r") at++;
    if (text[at] === "\n") at++;
  }
  return lines;
}

function bareCell(text: string, from: number): CsvCell & { readonly end: number } {
  BARE_END.lastIndex = from;
  const end = BARE_END.exec(text)?.index ?? text.length;
  return { text: text.slice(from, end), quoted: false, end };
}

const BARE_END = /[,\r\n]/g;

function quotedCell(text: string, from: number): CsvCell & { readonly end: number } {
  let end = text.indexOf('"', from + 1);
  while (end !== -1 && text[end + 1] === '"') end = text.indexOf('"', end + 2);
  if (end === -1) throw new ServiceError("invalid-input", "a quote in the CSV is not closed");
  const next = text[end + 1];
  if (next !== undefined && next !== "," && next !== "\r" && next !== "\n")
    throw new ServiceError("invalid-input", "a quoted cell of the CSV goes on after its quote");
  return { text: text.slice(from + 1, end).replaceAll('""', '"'), quoted: true, end: end + 1 };
}

/**
 * CSV with a header, of rows of scalars that all have the same columns; texts are quoted. What `csvRows` reads back.
 *
 * @example
 * writeCsv([{ age: 31, town: "Ulm" }]); // '"age","town"\n31,"Ulm"\n'
 */
export function writeCsv(rows: readonly JsonObject[]): string {
  const names = Object.keys(rows[0] ?? {});
  const quote = (text: string) => `"${text.replaceAll('"', '""')}"`;
  const lines = rows.map((row) =>
    names.map((name) => {
      const value = row[name] ?? null;
      return value === null ? "" : typeof value === "string" ? quote(value) : String(value);
    }),
  );
  return [names.map(quote), ...lines].map((line) => `${line.join(",")}\n`).join("");
}
