import { arrivals } from "../generator/arrivals.ts";
import { seededRandom } from "../seeded-random.ts";

/** A service as the simulation sees it. */
export interface SimulatedService {
  /** CPU time of one request. */
  readonly demandMs: number;
  /** Time in which a request waits for something else than the CPU. */
  readonly waitMs: number;
  /** Requests it works on at the same time: 1 for one that runs on a single thread. */
  readonly parallel: number;
}

const PERIOD_MS = 100;

/**
 * Latencies of requests under a CPU limit as Linux keeps it: in every period of 100 ms the service may use `cpu` times
 * 100 ms of CPU time, and stands still for the rest of the period once that is used up. Requests arrive at random and
 * are taken in turn. This says what the limit does to the tail, which no rule of thumb on utilisation does: half a
 * core is not a core of half the speed.
 *
 * @param cpu - Limit in cores.
 * @param rate - Requests per second.
 * @param requests - How many are simulated.
 * @returns latencies in milliseconds, ascending.
 * @see Turner, Rao and Rao, CPU bandwidth control for CFS, Linux Symposium (2010).
 */
export function simulateQuota({
  service,
  cpu,
  rate,
  requests,
  seed,
}: {
  readonly service: SimulatedService;
  readonly cpu: number;
  readonly rate: number;
  readonly requests: number;
  readonly seed: number;
}): number[] {
  const random = seededRandom(seed);
  const intended = [
    ...arrivals({ kind: "poisson", rate, durationMs: Number.POSITIVE_INFINITY, most: requests, random }),
  ];
  const budgetMs = cpu * PERIOD_MS;
  const cores = Math.max(1, Math.ceil(cpu));
  const latencies: number[] = [];
  const running: { readonly arrived: number; leftMs: number }[] = [];
  let next = 0;
  let nowMs = 0;
  let periodEnd = PERIOD_MS;
  let budgetLeft = budgetMs;
  const lastArrival = intended.at(-1) ?? 0;
  const giveUpMs = lastArrival + 60_000; // a service that cannot keep up is not simulated to the end
  let queued = 0;
  while (latencies.length < intended.length && nowMs < giveUpMs) {
    while (running.length < service.parallel && queued < next) {
      running.push({ arrived: intended[queued] as number, leftMs: service.demandMs });
      queued += 1;
    }
    const busy = running.length > 0 && budgetLeft > 1e-9;
    const speed = Math.min(1, cores / Math.max(1, running.length));
    const until = Math.min(
      next < intended.length ? (intended[next] as number) : Number.POSITIVE_INFINITY,
      periodEnd,
      busy ? nowMs + Math.min(...running.map(({ leftMs }) => leftMs)) / speed : Number.POSITIVE_INFINITY,
      busy ? nowMs + budgetLeft / (speed * running.length) : Number.POSITIVE_INFINITY,
    );
    const elapsed = until - nowMs;
    nowMs = until;
    if (busy) {
      budgetLeft -= elapsed * speed * running.length;
      for (const job of running) job.leftMs -= elapsed * speed;
    }
    for (let i = running.length - 1; i >= 0; i -= 1) {
      const job = running[i] as { arrived: number; leftMs: number }; // within bounds
      if (job.leftMs > 1e-9) continue;
      latencies.push(nowMs - job.arrived + service.waitMs);
      running.splice(i, 1);
    }
    while (next < intended.length && (intended[next] as number) <= nowMs) next += 1;
    if (nowMs >= periodEnd) {
      periodEnd += PERIOD_MS;
      budgetLeft = budgetMs;
    }
  }
  while (latencies.length < intended.length) latencies.push(60_000);
  return latencies.sort((a, b) => a - b);
}
