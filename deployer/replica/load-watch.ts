import { type LoadLook, QUIET_MS } from "../decide-scale.ts";
import type { ReplicaState } from "./replica.ts";

/** Left to whoever else is on the machine. */
const SPARED_BYTES = 256 * 1024 * 1024;

interface Seen {
  readonly atSeconds: number;
  readonly loopSeconds: number;
  readonly runSeconds: number;
  /** Share of the time since the word before that it was busy; undefined after its first word. */
  readonly busy: number | undefined;
}

/** Follows how busy the replicas of a group are, from what they say of themselves. */
export class LoadWatch {
  #looks: LoadLook[] = [];
  #seen = new Map<number, Seen>();

  /** @returns The looks since the number of replicas last changed, oldest first, as far as they matter. */
  look(states: readonly ReplicaState[], atMs: number): readonly LoadLook[] {
    const before = this.#seen;
    this.#seen = new Map(states.map((state) => [state.pid, seenOf(state, before.get(state.pid))]));
    let busy = 0;
    for (const seen of this.#seen.values()) {
      if (seen.busy === undefined) {
        this.forget();
        return []; // it has just begun
      }
      busy += seen.busy;
    }
    if (states.length === 0) return [];
    const look = { atMs, replicas: states.length, busy };
    const same = this.#looks.filter(({ replicas }) => replicas === look.replicas);
    // One look beyond the time that counts, so that the time is covered.
    const from = same.findLastIndex(({ atMs: then }) => atMs - then >= QUIET_MS);
    this.#looks = [...same.slice(Math.max(0, from)), look];
    return this.#looks;
  }

  /** Share of the time that a replica is busy; null before it is known. */
  busyOf(pid: number): number | null {
    return this.#seen.get(pid)?.busy ?? null;
  }

  forget(): void {
    this.#looks = [];
  }
}

/** How many more replicas like these there is memory for: the machine's, or what a container has left of its own. */
export function roomFor(
  states: readonly ReplicaState[],
  freeBytes: number = process.availableMemory(),
): number {
  const largest = Math.max(1, ...states.map(({ resident_bytes }) => resident_bytes));
  return Math.max(0, Math.floor((freeBytes - SPARED_BYTES) / largest));
}

function seenOf(state: ReplicaState, before: Seen | undefined): Seen {
  const { uptime_seconds: atSeconds, loop_seconds: loopSeconds, counts, versions } = state;
  const inThreads = new Set(
    versions.filter(({ inference }) => inference.place === "thread").map(({ version }) => version),
  );
  let runSeconds = 0;
  for (const [version, counted] of Object.entries(counts))
    if (inThreads.has(version)) runSeconds += counted.runSeconds;
  if (before && atSeconds <= before.atSeconds) return before; // it has said nothing new
  // A model inline keeps the event loop busy, one in a thread of its own does not.
  const worked = before && Math.max(loopSeconds - before.loopSeconds, runSeconds - before.runSeconds);
  const busy =
    worked === undefined || !before
      ? undefined
      : Math.min(1, Math.max(0, worked / (atSeconds - before.atSeconds)));
  return { atSeconds, loopSeconds, runSeconds, busy };
}
