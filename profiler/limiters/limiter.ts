import type { Meter } from "../meters/meter.ts";

/** What a service may use; undefined: as much as there is. */
export interface Limits {
  /** Cores, such as 0.5. */
  readonly cpu?: number | undefined;
  readonly memoryBytes?: number | undefined;
}

export const limiterKinds = ["cgroup-v2", "cgroup-v1", "systemd-run", "taskset", "none"] as const;
export type LimiterKind = (typeof limiterKinds)[number];

/** Where one service runs: limits around it, a meter on it. */
export interface Cage {
  readonly kind: LimiterKind;
  /** The command that starts the service inside. */
  wrap(command: readonly string[]): readonly string[];
  /** Changes the limits; a service that runs already has to keep to them at once. */
  set(limits: Limits): Promise<void>;
  /** @param pid - The process that `wrap`'s command became. */
  meter(pid: number): Meter;
  /** Ends whatever still runs inside, and takes the limits away. */
  destroy(): Promise<void>;
}

/** A way of limiting. */
export interface Limiter {
  readonly kind: LimiterKind;
  /** `quota`: any part of a core. `cores`: whole cores only. */
  readonly cpu: "quota" | "cores" | "none";
  readonly memory: "limit" | "none";
  /** Makes a cage that nothing is in yet. @param name - Part of the names it gives to what it makes. */
  open(name: string): Promise<Cage>;
}

/** A way of limiting that this machine does not have, and why. */
export interface Unavailable {
  readonly kind: LimiterKind;
  readonly why: string;
}

/** Length of the period in which a CPU limit is counted; the kernel's default, and Kubernetes'. */
export const PERIOD_US = 100_000;

/**
 * How much more than an ordinary group the service counts when processes compete for the CPU, as a container counts
 * that has its CPU requested: strangers on the machine are to change the measurement as little as can be.
 */
export const WEIGHT_FACTOR = 10;
