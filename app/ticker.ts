import type { Log } from "./log.ts";

export interface Ticker {
  /** Starts no further turn and waits for those under way. */
  stop(): Promise<void>;
}

/**
 * Does `work` again and again until stopped. A turn that fails is logged, and the next one comes all the same.
 *
 * @param turns - `one-by-one`: the pause begins when a turn has ended. `overlapping`: a turn begins after each pause,
 *   for work that sees to it itself that nothing is done twice.
 */
export function startTicker({
  name,
  everyMs,
  work,
  turns = "one-by-one",
  first = "after-a-pause",
  log,
}: {
  readonly name: string;
  readonly everyMs: number;
  readonly work: () => Promise<unknown>;
  readonly turns?: "one-by-one" | "overlapping";
  readonly first?: "at-once" | "after-a-pause";
  readonly log: Log;
}): Ticker {
  const underWay = new Set<Promise<void>>();
  let state: "running" | "stopped" = "running";
  let timer: NodeJS.Timeout | undefined;
  const wait = () => {
    if (state === "running") timer = setTimeout(begin, everyMs);
  };
  const begin = () => {
    const turn = work().then(
      () => undefined,
      (error: unknown) => log.error({ err: error, task: name }, `${name} failed and is tried again`),
    );
    const ended = turn.then(() => {
      underWay.delete(ended);
      if (turns === "one-by-one") wait();
    });
    underWay.add(ended);
    if (turns === "overlapping") wait();
  };
  if (first === "at-once") begin();
  else wait();
  return {
    stop: async () => {
      state = "stopped";
      clearTimeout(timer);
      await Promise.all(underWay);
    },
  };
}
