import { isBlank, linesOf } from "./file-lines.ts";

/** How a file is sent: a table as a whole, lines in batches. */
export const importFormats = [
  "records",
  "csv",
  "parquet",
  "cloudevents",
  "kserve",
  "azureml",
  "sagemaker",
] as const;
export type ImportFormat = (typeof importFormats)[number];

/** The format of a file by its name, and where that does not tell by its first line. */
export async function importFormatOf(file: string): Promise<ImportFormat> {
  const name = file.replace(/\.gz$/i, "");
  if (isCsvName(name)) return formatOfHeader(await firstLine(file));
  // KServe's logger ends the names of its files so, and nothing else in reach tells what a Parquet file is.
  if (/-(request|response)\.parquet$/i.test(name)) return "kserve";
  if (isParquetName(name)) return "parquet";
  return file === "-" ? "records" : formatOfLine(await firstLine(file));
}

/** Whether a file is a table of text by its name. */
export function isCsvName(file: string): boolean {
  return /\.(csv|tsv)(\.gz)?$/i.test(file);
}

export function isParquetName(file: string): boolean {
  return /\.parquet(\.gz)?$/i.test(file);
}

/** Other systems write their captures as CSV too. */
function formatOfHeader(header: string): ImportFormat {
  if (header.includes("$aml_dc_correlation_id")) return "azureml";
  return /\breqType\b/.test(header) && /\binferenceService\b/.test(header) ? "kserve" : "csv";
}

/** Whatever is no capture of another system is taken for records of ours, and named line by line if it is none. */
function formatOfLine(line: string): ImportFormat {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return "records";
  }
  if (Array.isArray(value)) value = value[0];
  if (value === null || value === undefined || typeof value !== "object") return "records";
  if ("captureData" in value || "groundTruthData" in value) return "sagemaker";
  if ("ReqType" in value || "reqType" in value) return "kserve";
  return "specversion" in value ? "cloudevents" : "records";
}

/** The first line that is not blank. */
async function firstLine(file: string): Promise<string> {
  for await (const line of linesOf(file)) if (!isBlank(line)) return line.toString();
  return "";
}
