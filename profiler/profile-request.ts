import type { LatencyObjective } from "../schema/profile.ts";
import type { ArrivalKind } from "./generator/arrivals.ts";
import type { LoadTarget } from "./generator/messages.ts";
import type { LimiterKind } from "./limiters/limiter.ts";
import type { CommandTarget } from "./targets/start-command.ts";
import type { Variant } from "./thread-sweep.ts";

/** What is profiled. */
export type Candidate =
  | ({ readonly kind: "command" } & CommandTarget)
  | { readonly kind: "url"; readonly origin: string };

/** What somebody wants to know. */
export interface ProfileRequest {
  readonly name: string;
  /** Version of a registered model that the service serves, for those who look it up. */
  readonly of?: { readonly model: string; readonly version: string } | undefined;
  readonly candidate: Candidate;
  /** Threads of one run, when the candidate is a replica of a model. */
  readonly threads?: number | undefined;
  /** Ways of starting it with different threads; the best is chosen by trying them. */
  readonly variants?: readonly Variant[] | undefined;
  readonly load: Omit<LoadTarget, "origin">;
  /** Where the bodies come from, in words. */
  readonly payloadSource: string;
  /** Requests per second that have to be borne. */
  readonly rate: number;
  readonly objective: LatencyObjective;
  /** Share of the requests that may fail. */
  readonly errorBudget: number;
  readonly arrivals: ArrivalKind;
  readonly mode: "quick" | "full";
  readonly budgetMs: number;
  /** How long it goes on at the target rate after the verifying runs, beyond the budget; 0: not at all. */
  readonly soakMs: number;
  readonly maxRequests: number;
  /** Most cores that one replica may have; those of the machine when absent. */
  readonly maxCpu?: number | undefined;
  readonly limiter?: LimiterKind | undefined;
  readonly seed: number;
  readonly prices?: { readonly perCpuHour: number; readonly perGibHour: number } | undefined;
}

/** How long windows are and how many of what fit into the budget. */
export interface Pace {
  readonly windowSeconds: readonly [least: number, most: number];
  readonly warmUpSeconds: readonly [least: number, most: number];
  readonly idleMs: number;
  readonly sweep: readonly number[];
  readonly sweepSeconds: number;
  /** Rates of the ladder as shares of the target. */
  readonly ladder: readonly number[];
  readonly maxRateWindows: number;
  /** Kept for the verifying run. */
  readonly verifySeconds: number;
}

const PACES: Readonly<Record<ProfileRequest["mode"], Pace>> = {
  quick: {
    windowSeconds: [2.5, 4],
    warmUpSeconds: [2, 5],
    idleMs: 500,
    sweep: [1, 4, 16],
    sweepSeconds: 1,
    ladder: [0.5, 1],
    maxRateWindows: 2,
    verifySeconds: 14,
  },
  full: {
    windowSeconds: [5, 12],
    warmUpSeconds: [3, 20],
    idleMs: 2_000,
    sweep: [1, 2, 4, 8, 16, 32, 64],
    sweepSeconds: 2,
    ladder: [0.25, 0.5, 1, 1.2],
    maxRateWindows: 4,
    verifySeconds: 60,
  },
};

const USUAL_BUDGET_MS = { quick: 45_000, full: 240_000 } as const;

/** The pace of a mode, with shorter windows when the budget is below the usual one. */
export function paceOf({ mode, budgetMs }: Pick<ProfileRequest, "mode" | "budgetMs">): Pace {
  const pace = PACES[mode];
  const share = Math.min(1, budgetMs / USUAL_BUDGET_MS[mode]);
  const scaled = ([least, most]: readonly [number, number]) =>
    [Math.max(1, share * least), Math.max(1, share * most)] as const;
  return {
    ...pace,
    windowSeconds: scaled(pace.windowSeconds),
    warmUpSeconds: scaled(pace.warmUpSeconds),
    verifySeconds: share * pace.verifySeconds,
    sweep: share < 0.5 ? pace.sweep.slice(0, 2) : pace.sweep,
  };
}
