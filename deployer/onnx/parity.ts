import { fromFloat16 } from "../../protocols/float16.ts";
import type { RawTensor } from "./raw-tensor.ts";

/** What was found of two files so far. */
export interface Parity {
  /** That both answered. */
  instances: number;
  /** That neither takes. */
  untaken: number;
  /** Of numbers, relative to those from 1 on. */
  largest_difference: number;
  /** Sentences. */
  readonly different: string[];
}

type Answer = readonly RawTensor[] | string;

/**
 * Compares what two files answered to the same. Labels, texts, whole numbers and booleans have to be equal; a number with a
 * fraction may be off by the tolerance, absolutely up to 1 and relatively beyond.
 */
export function compareOutputs(
  parity: Parity,
  {
    before,
    after,
    instances,
    tolerance,
  }: {
    readonly before: Answer;
    readonly after: Answer;
    readonly instances: number;
    readonly tolerance: number;
  },
): void {
  if (typeof before === "string" || typeof after === "string") {
    if (typeof before === "string" && typeof after === "string") parity.untaken += instances;
    else parity.different.push("one of the two does not take what the other takes");
    return;
  }
  parity.instances += instances;
  for (const tensor of before) {
    const other = after.find(({ name }) => name === tensor.name);
    if (!other || other.datatype !== tensor.datatype || other.dims.join() !== tensor.dims.join()) {
      parity.different.push(`output "${tensor.name}" has another type or shape`);
      continue;
    }
    const worst = furthest(tensor, other);
    if (worst.difference > tolerance)
      parity.different.push(
        `output "${tensor.name}" is ${worst.after} at ${worst.at} where it was ${worst.before}`,
      );
    else parity.largest_difference = Math.max(parity.largest_difference, worst.difference);
  }
}

const FRACTIONS = new Set(["FP16", "FP32", "FP64"]);

function furthest({ datatype, data }: RawTensor, other: RawTensor) {
  let worst = { difference: 0, at: 0, before: "", after: "" };
  for (let at = 0; at < data.length; at++) {
    const [before, after] = [data[at], other.data[at]];
    const difference = FRACTIONS.has(datatype)
      ? between(numberOf(datatype, before), numberOf(datatype, after))
      : before === after
        ? 0
        : Number.POSITIVE_INFINITY;
    if (difference > worst.difference)
      worst = { difference, at, before: String(before), after: String(after) };
  }
  return worst;
}

function numberOf(datatype: string, value: unknown): number {
  return datatype === "FP16" ? fromFloat16(Number(value)) : Number(value); // words, see RawTensor
}

function between(a: number, b: number): number {
  if (Object.is(a, b) || a === b) return 0;
  const difference = Math.abs(a - b) / Math.max(1, Math.abs(a));
  return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
}
