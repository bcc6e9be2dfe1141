import { createHash } from "node:crypto";
import { columnNames } from "../../protocols/column-names.ts";
import type { FeatureValue } from "../../protocols/exchange.ts";
import type { Cells } from "../../protocols/feature-value.ts";
import { classOutput } from "../../protocols/model-answer.ts";
import { type Recording, startRecording } from "../../protocols/recording.ts";
import type { Tensor } from "../../protocols/tensor.ts";
import { inputRows, outputRows } from "../../protocols/tensor-rows.ts";
import type { ModelSignature } from "../../schema/signature.ts";

/** What is collected of each instance: its inputs and what was answered, as columns. */
export interface CapturedRow {
  readonly inputs: Cells;
  readonly outputs: Cells;
}

const digest = (bytes: Uint8Array) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
const WIDEST = 256;

/** Rows of a scored request. What does not become columns by itself is recorded as the collector's readers do. */
export function captureRows(
  inputs: readonly Tensor[],
  outputs: readonly Tensor[],
  batch: number,
  signature: ModelSignature,
): CapturedRow[] {
  const asked = Array.from({ length: batch }, (): Cells => ({}));
  const answered = Array.from({ length: batch }, (): Cells => ({}));
  const recording = startRecording({ digest });
  const alone = inputs.length === 1;
  for (const tensor of inputs)
    putInputs(asked, tensor, alone ? signature.feature_names : undefined, recording);
  const classes = classOutput(outputs, signature);
  for (const tensor of outputs) {
    const labels = tensor.name === classes ? signature.class_labels : undefined;
    putOutputs(
      answered,
      tensor,
      labels?.map((label) => `${tensor.name}_${label}`),
      recording,
    );
  }
  return asked.map((cells, row) => ({ inputs: cells, outputs: answered[row] ?? {} }));
}

function putInputs(
  rows: Cells[],
  tensor: Tensor,
  names: readonly string[] | undefined,
  recording: Recording,
): void {
  if (putColumns(rows, tensor, names)) return;
  const cells = inputRows([tensor], names, recording);
  rows.forEach((row, at) => {
    Object.assign(row, cells[cells.length === 1 ? 0 : at]);
  });
}

function putOutputs(
  rows: Cells[],
  tensor: Tensor,
  names: readonly string[] | undefined,
  recording: Recording,
): void {
  if (putColumns(rows, tensor, names)) return;
  const cells = outputRows([tensor], rows.length, names, recording).rows;
  rows.forEach((row, at) => {
    Object.assign(row, cells[at]);
  });
}

/** A vector or matrix of instances as columns, the usual case without detours. */
function putColumns(rows: Cells[], tensor: Tensor, names: readonly string[] | undefined): boolean {
  const { shape, values } = tensor;
  const width = shape.length === 1 ? 1 : (shape[1] ?? 0);
  if (shape.length > 2 || shape.length === 0 || shape[0] !== rows.length || width > WIDEST) return false;
  const columns = columnNames(tensor.name, width, names);
  for (let row = 0; row < rows.length; row++) {
    const cells = rows[row] as Cells; // within bounds
    for (let at = 0; at < width; at++) {
      const value = values[row * width + at] as FeatureValue; // bytes are looked at next
      if (typeof value === "object" || typeof value === "bigint" || typeof value === "string") {
        if (typeof value !== "string" || value.length > 1024) return false;
      }
      cells[columns[at] as string] =
        typeof value === "number" && !Number.isFinite(value) ? nonFinite(value) : value;
    }
  }
  return true;
}

function nonFinite(value: number): FeatureValue {
  return Number.isNaN(value) ? null : String(value);
}
