import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ModelSample } from "../schema/model-version.ts";
import { type OptimisationOutcome, optimisationOutcome } from "../schema/optimisation.ts";
import { checkedProcess, type InspectionLimits } from "./checked-process.ts";

const LIMITS: InspectionLimits = { timeoutMs: 300_000, memoryBytes: 4 * 1024 ** 3 };

/**
 * Has the runtime write a model file as it makes it over, and compares the two, in a process of its own with bounded time
 * and memory.
 *
 * @param optimisedFile - Where it is written; whoever asks owns it.
 * @param folder - For what is passed to that process; the caller removes it.
 */
export async function optimiseFile(
  path: string,
  {
    optimisedFile,
    sample,
    folder,
    limits = LIMITS,
  }: {
    readonly optimisedFile: string;
    readonly sample: ModelSample | undefined;
    readonly folder: string;
    readonly limits?: InspectionLimits;
  },
): Promise<OptimisationOutcome> {
  const sampleFile = join(folder, "sample-of-optimised.json");
  writeFileSync(sampleFile, JSON.stringify(sample ?? null));
  const found = await checkedProcess("./onnx/optimise-child", [path, optimisedFile, sampleFile], {
    limits,
    signal: undefined,
    work: { done: "made over and compared", doing: "making it over" },
  });
  if ("reason" in found) return { verdict: "refused", reason: found.reason };
  return optimisationOutcome.parse(found.value);
}
