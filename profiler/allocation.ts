const MIB = 1024 * 1024;

/** Sizes of CPU that are recommended: steps of 0.1 below one core, 0.25 below four, 0.5 above. */
export function cpuSteps(most: number): number[] {
  const steps: number[] = [];
  for (let i = 1; i <= 9; i += 1) steps.push(i / 10);
  for (let cpu = 1; cpu < 4; cpu += 0.25) steps.push(cpu);
  for (let cpu = 4; cpu <= most + 1e-9; cpu += 0.5) steps.push(cpu);
  return steps.filter((cpu) => cpu <= most + 1e-9);
}

/** The smallest step that is not below `cpu`; the largest there is when none is. */
export function stepAtLeast(steps: readonly number[], cpu: number): number {
  const found = steps.find((step) => step >= cpu - 1e-9) ?? steps.at(-1);
  if (found === undefined) throw new RangeError("stepAtLeast: no steps");
  return found;
}

/** The next smaller step; undefined at the smallest. */
export function stepBelow(steps: readonly number[], cpu: number): number | undefined {
  return steps.filter((step) => step < cpu - 1e-9).at(-1);
}

/** The next larger step; undefined at the largest. */
export function stepAbove(steps: readonly number[], cpu: number): number | undefined {
  return steps.find((step) => step > cpu + 1e-9);
}

/**
 * Memory to give a service that held at most `peakBytes`: a tenth more and at least 24 MiB, in steps of 16 MiB.
 * Memory cannot be taken back like CPU, so the peak counts, not a percentile.
 */
export function memoryFor(peakBytes: number): number {
  return Math.ceil(Math.max(peakBytes * 1.1, peakBytes + 24 * MIB) / (16 * MIB)) * 16 * MIB;
}

/** Memory to try next when a service was killed for want of it. */
export function memoryAfterKill(limitBytes: number): number {
  return Math.ceil(Math.max(limitBytes * 1.1, limitBytes + 32 * MIB) / (16 * MIB)) * 16 * MIB;
}
