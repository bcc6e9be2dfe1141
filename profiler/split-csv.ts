/**
 * Fields of each line of a CSV text (RFC 4180): quoted fields may hold commas, line breaks and doubled quotes. Empty
 * lines are left out.
 */
export function splitCsv(text: string): string[][] {
  const rows: string[][] = [];
  let row: string[] = [];
  let field = "";
  let quoted: "no" | "inside" | "closed" = "no";
  const endRow = () => {
    row.push(field);
    if (row.length > 1 || field !== "") rows.push(row);
    row = [];
    field = "";
    quoted = "no";
  };
  for (let i = 0; i < text.length; i += 1) {
    const char = text[i];
    if (quoted === "inside") {
      if (char !== '"') field += char;
      else if (text[i + 1] === '"') {
        field += '"';
        i += 1;
      } else quoted = "closed";
    } else if (char === '"' && field === "" && quoted === "no") quoted = "inside";
    else if (char === ",") {
      row.push(field);
      field = "";
      quoted = "no";
    } else if (char === "\n") endRow();
    else if (char !== "\r") field += char;
  }
  if (field !== "" || row.length > 0) endRow();
  return rows;
}
