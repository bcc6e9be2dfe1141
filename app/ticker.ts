import type { Log } from "./log.ts";

export interface Ticker {
  /** Starts no further turn and waits for the one under way. */
  stop(): Promise<void>;
}

/** Does `work` again and again, `everyMs` after its last turn ended, so that turns never overlap. A turn that fails is logged. */
export function startTicker({
  name,
  everyMs,
  work,
  log,
}: {
  readonly name: string;
  readonly everyMs: number;
  readonly work: () => Promise<unknown>;
  readonly log: Log;
}): Ticker {
  let state: "running" | "stopped" = "running";
  let timer: NodeJS.Timeout | undefined;
  let turn: Promise<void> = Promise.resolve();
  const wait = () => {
    if (state === "running") timer = setTimeout(begin, everyMs);
  };
  const begin = () => {
    turn = work()
      .then(() => undefined)
      .catch((error: unknown) => log.error({ err: error, task: name }, `${name} failed and is tried again`))
      .finally(wait);
  };
  wait();
  return {
    stop: async () => {
      state = "stopped";
      clearTimeout(timer);
      await turn;
    },
  };
}
