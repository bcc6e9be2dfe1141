import type { ReplicaScaling } from "../schema/deployment.ts";

/** How a group was at one moment: `busy` is the load in whole replicas, 1.5 when two are busy three quarters of the time. */
export interface LoadLook {
  readonly atMs: number;
  readonly replicas: number;
  readonly busy: number;
}

export interface ScaleDecision {
  readonly replicas: number;
  readonly action: "keep" | "up" | "down";
  readonly reason: string;
}

/** Looks in a row that must be above the target: one busy second is no load. */
const LOOKS_UP = 2;
/** Load beyond the target, relatively, that is nothing to act on. */
const SLACK = 0.1;
/** For so long one replica fewer must have been enough. */
export const QUIET_MS = 60_000;

/**
 * How many replicas a group is to have. Upwards at once to what the load asks for, but no more than twice as many at a time, since a
 * saturated group does not show how much more would come; downwards by one, and only after a minute in which one fewer
 * would have stayed below the target. What lies between the two leaves all as it is.
 *
 * @param looks - Oldest first, of this number of replicas only. The last is now.
 * @param room - Replicas beyond those there are for which the machine has memory.
 */
export function decideScale(
  looks: readonly LoadLook[],
  { min, max, utilisation: target }: ReplicaScaling,
  room: number,
): ScaleDecision {
  const last = looks.at(-1);
  if (!last) return { replicas: min, action: "keep", reason: "nothing is known of the load yet" };
  const { replicas } = last;
  const keep = (reason: string): ScaleDecision => ({ replicas, action: "keep", reason });
  if (replicas < min) return { replicas: min, action: "up", reason: `the plan wants at least ${min}` };
  if (replicas > max) return { replicas: max, action: "down", reason: `the plan wants at most ${max}` };
  const recent = looks.slice(-LOOKS_UP);
  const share = (busy: number, of: number) => `${Math.round((busy / of) * 100)} %`;
  if (recent.length === LOOKS_UP && recent.every(({ busy }) => busy > replicas * target * (1 + SLACK))) {
    const busy = recent.reduce((sum, look) => sum + look.busy, 0) / LOOKS_UP;
    const said = `busy ${share(busy, replicas)} of the time, ${Math.round(target * 100)} % is the target`;
    const wanted = Math.min(Math.max(replicas + 1, Math.ceil(busy / target)), replicas * 2);
    const possible = Math.min(wanted, max, replicas + room);
    if (possible > replicas) return { replicas: possible, action: "up", reason: said };
    return keep(`${said}, and ${max <= replicas ? `${max} is the most` : "there is no memory for another"}`);
  }
  const first = looks[0] as LoadLook; // there is a last
  const most = Math.max(...looks.map(({ busy }) => busy));
  const fewer = replicas - 1;
  if (fewer >= min && last.atMs - first.atMs >= QUIET_MS && most < fewer * target * (1 - SLACK))
    return {
      replicas: fewer,
      action: "down",
      reason: `for ${QUIET_MS / 1000} s ${fewer} would have been busy ${share(most, fewer)} of the time at most`,
    };
  return keep(`busy ${share(last.busy, replicas)} of the time`);
}
