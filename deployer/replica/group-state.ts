import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { ScoringCounts } from "./counts.ts";
import type { ReplicaState } from "./replica.ts";

/** How a group of replicas is. */
export interface GroupStatus {
  readonly pid: number;
  readonly version: string;
  /** Number of the plan that is served; null before the first is. */
  readonly plan: number | null;
  readonly replicas: readonly (ReplicaState & {
    readonly slot: number;
    readonly utilisation: number | null;
  })[];
  readonly wanted: number;
  /** Of a plan that is scaled by its load. */
  readonly scaling: {
    readonly utilisation: number | null;
    readonly reason: string;
    readonly last_change: {
      readonly at: string;
      readonly from: number;
      readonly to: number;
      readonly reason: string;
    } | null;
  } | null;
  /** Replicas that ended by themselves and were started again. */
  readonly restarts: number;
  readonly last_failure: string | null;
  /** A canary that was taken back, until the next plan. */
  readonly withdrawn: { readonly version: string; readonly reason: string; readonly at: string } | null;
  /** Of all plans since the group was started. */
  readonly counts: ScoringCounts;
}

/** What is written down of a group, to find it again. */
export const groupRecord = z.object({
  pid: z.int(),
  host: z.string(),
  port: z.int(),
  replicas: z.array(z.int()),
});
export type GroupRecord = z.infer<typeof groupRecord>;

export const GROUP_FILE = "group.json";

/** A path of a socket may have about a hundred bytes. */
const LONGEST_PATH = 100;

/** Where a group of this folder takes its orders: in it, or where its path is too long for that, in a temporary folder. */
export function controlSocket(folder: string): string {
  const path = join(folder, "control.sock");
  if (Buffer.byteLength(path) <= LONGEST_PATH) return path;
  return join(tmpdir(), `leeway-${createHash("sha256").update(folder).digest("hex").slice(0, 16)}.sock`);
}
