import { randomUUID } from "node:crypto";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type InspectModel, type ModelInspection, modelInspection } from "../schema/signature.ts";
import { checkedProcess, type InspectionLimits } from "./checked-process.ts";

export const inspectionLimits: InspectionLimits = { timeoutMs: 60_000, memoryBytes: 2 * 1024 ** 3 };

/**
 * A function that looks at model files, each in a process of its own with bounded time and memory: it is loaded and run
 * once, and whatever a hostile file does ends that process only.
 *
 * @param folder - Where files to be served are written that differ from the given one; whoever asked owns them.
 */
export function modelInspector(folder: string, limits: InspectionLimits = inspectionLimits): InspectModel {
  return async (path, { signal, sample }) => {
    const servedFile = join(folder, `served-${randomUUID()}.onnx`);
    const sampleFile = sample && join(folder, `sample-${randomUUID()}.json`);
    if (sampleFile) writeFileSync(sampleFile, JSON.stringify(sample));
    const inspection = await inspect(path, { servedFile, sampleFile, limits, signal }).finally(() => {
      if (sampleFile) rmSync(sampleFile, { force: true });
    });
    if (inspection.verdict === "refused" || inspection.served_file === undefined)
      rmSync(servedFile, { force: true });
    return inspection;
  };
}

async function inspect(
  path: string,
  {
    servedFile,
    sampleFile,
    limits,
    signal,
  }: {
    readonly servedFile: string;
    readonly sampleFile: string | undefined;
    readonly limits: InspectionLimits;
    readonly signal: AbortSignal | undefined;
  },
): Promise<ModelInspection> {
  const found = await checkedProcess(
    "./onnx/check-child",
    [path, servedFile, ...(sampleFile ? [sampleFile] : [])],
    {
      limits,
      signal,
      work: { done: "loaded and run once", doing: "loading it and running it once" },
    },
  );
  if ("reason" in found) return { verdict: "refused", reason: found.reason };
  return modelInspection.parse(found.value);
}
