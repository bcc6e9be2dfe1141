import { ServiceError } from "../schema/errors.ts";
import type { ProfileWindow } from "../schema/profile.ts";
import type { Clock } from "./clock.ts";
import type { Stage } from "./stage.ts";

const CONCURRENCY = 4;
const WINDOW_MS = 1_000;
const STEADY = 0.1;
/** Of the requests that may be sent, the most that one warm-up may use up. */
const WARM_UP_SHARE = 0.1;

/**
 * Loads the service until it is as quick as it gets: three windows in a row whose rates and CPU time per request differ
 * by at most a tenth. A runtime that compiles as it goes is several times slower in its first seconds.
 *
 * @returns how many seconds it took, and whether it became steady.
 * @throws ServiceError `upstream-failed` when no request is answered well.
 */
export async function warmUp(
  stage: Stage,
  {
    seconds: [least, most],
    maxRequests,
    clock,
  }: { readonly seconds: readonly [number, number]; readonly maxRequests: number; readonly clock: Clock },
): Promise<{ readonly seconds: number; readonly state: "steady" | "still-changing" }> {
  const began = clock.monotonicMs();
  const elapsed = () => (clock.monotonicMs() - began) / 1_000;
  const windows: ProfileWindow[] = [];
  let left = Math.max(1, Math.floor(WARM_UP_SHARE * maxRequests));
  for (;;) {
    const window = await stage.load("saturation", {
      kind: "closed",
      concurrency: CONCURRENCY,
      durationMs: WINDOW_MS,
      most: left,
    });
    left -= window.requests;
    if (window.ok === 0 && windows.length === 0) throw refused(window);
    windows.push(window);
    const last = windows.slice(-3);
    const isSteady = last.length === 3 && isWithin(last, ({ ok }) => ok) && isWithin(last, cpuPerRequest);
    if (elapsed() >= least && isSteady) return { seconds: elapsed(), state: "steady" };
    if (elapsed() >= most || left < 1) return { seconds: elapsed(), state: "still-changing" };
  }
}

function isWithin(windows: readonly ProfileWindow[], of: (window: ProfileWindow) => number): boolean {
  const values = windows.map(of);
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return most <= least * (1 + STEADY) + 1e-9;
}

function cpuPerRequest({ cpu_cores, seconds, ok }: ProfileWindow): number {
  return ok === 0 ? 0 : ((cpu_cores ?? 0) * seconds) / ok;
}

function refused({ outcomes, requests }: ProfileWindow): ServiceError {
  const what = Object.entries(outcomes).map(([outcome, count]) => `${outcome} ${count} times`);
  return new ServiceError(
    "upstream-failed",
    requests === 0
      ? "the service answered no request within a second and more: raise --timeout, or look at what it does"
      : `the service answered no request well (${what.join(", ")}): look at --path, --method, --header and --payloads, or say what is good with --expect-status`,
  );
}
