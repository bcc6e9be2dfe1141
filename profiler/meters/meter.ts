/** What a service has used so far, its whole process tree together. */
export interface Reading {
  /** CPU time since it started, children that have ended included. */
  readonly cpuSeconds: number;
  /** Memory that cannot be taken back under pressure: anonymous, shared, and the kernel's on its behalf. */
  readonly heldBytes: number;
  /** Most of that at any time so far, where the kernel keeps it. */
  readonly heldPeakBytes: number | undefined;
  /** Pages of files: they can be taken back, so a limit need not cover them. */
  readonly fileBytes: number;
  readonly processes: number;
  readonly threads: number;
  readonly fileDescriptors: number;
  /** Processes that the kernel ended for want of memory; undefined when nobody counts. */
  readonly oomKills: number | undefined;
  /** Periods of 100 ms in which the CPU limit stopped it; undefined without such a limit. */
  readonly throttling:
    | { readonly periods: number; readonly throttledPeriods: number; readonly throttledSeconds: number }
    | undefined;
}

export const meterKinds = ["cgroup-v2", "cgroup-v1", "proc", "none"] as const;
export type MeterKind = (typeof meterKinds)[number];

export interface Meter {
  readonly kind: MeterKind;
  read(): Reading;
}
