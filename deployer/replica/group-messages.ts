import type { ScoringCounts } from "./counts.ts";
import type { ReplicaState } from "./replica.ts";

/** What a group says to one of its replicas. */
export type ToReplica =
  | { readonly say: "drain"; readonly graceMs: number }
  /** Hashes of the keys of the plan that is served now, for one that still answers by an earlier plan. */
  | { readonly say: "keys"; readonly hashes: readonly string[] }
  | { readonly say: "others"; readonly counts: ScoringCounts; readonly replicas: number }
  /** Another replica is there: some callers are to come anew, and find it. */
  | { readonly say: "share"; readonly with: number }
  | { readonly say: "withdraw"; readonly version: string };

/** What a replica says to its group. */
export type FromReplica =
  | { readonly say: "ready"; readonly state: ReplicaState }
  | { readonly say: "state"; readonly state: ReplicaState }
  | { readonly say: "failed"; readonly why: string };
