import type { ProfileWindow } from "../schema/profile.ts";
import type { Clock } from "./clock.ts";
import type { Exploration } from "./explore.ts";
import type { FileTree } from "./file-tree.ts";
import type { Limiter, Unavailable } from "./limiters/limiter.ts";
import type { ProfileRequest } from "./profile-request.ts";
import type { Stage } from "./stage.ts";
import type { StartUp } from "./start-up.ts";
import type { Split } from "./thread-sweep.ts";

/** What a profile runs in. */
export interface Surroundings {
  readonly tree: FileTree;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly machine: { readonly cores: number; readonly cpuModel: string; readonly memoryBytes: number };
  readonly leewayVersion: string;
  readonly newId: () => string;
  /** Told what is done now, and which share of the budget is used. */
  readonly onPhase: (share: number, note: string) => void;
}

/** What the runs under the recommended limits came to. */
export interface Verification {
  readonly cpu: number | undefined;
  readonly memoryBytes: number | undefined;
  readonly atTarget: ProfileWindow | undefined;
  readonly atHeadroom: ProfileWindow | undefined;
  readonly below: { readonly cpu: number | undefined; readonly window: ProfileWindow | undefined };
  readonly maxRate: number | undefined;
}

/** Everything that was found, before it is put into words. */
export interface Findings extends Verification {
  readonly request: ProfileRequest;
  readonly limiter: Limiter;
  readonly passedOver: readonly Unavailable[];
  readonly stage: Stage;
  readonly meterKind: string;
  readonly startUp: StartUp;
  readonly warm: { readonly seconds: number; readonly state: "steady" | "still-changing" };
  readonly afterStartBytes: number | undefined;
  readonly exploration: Exploration;
  readonly replicas: number | undefined;
  readonly ratePerReplica: number;
  readonly cpuRequest: number | undefined;
  readonly memoryKills: number;
  readonly peakBytes: number | undefined;
  readonly split: Split | undefined;
  readonly soakSeconds: number;
  readonly budget: "kept" | "used-up";
  readonly requestsSent: number;
  readonly startedAt: Date;
  readonly elapsedSeconds: number;
}
