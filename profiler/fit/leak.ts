import { theilSen } from "./line.ts";

/** Memory held after so many requests. */
export interface MemorySample {
  readonly requests: number;
  readonly heldBytes: number;
}

/** Whether memory grows with every request. */
export interface LeakVerdict {
  readonly verdict: "leak-suspected" | "none-seen" | "too-short";
  readonly bytesPerRequest: number;
  readonly interval: readonly [from: number, to: number];
}

const BUCKETS = 12;
/** Slower growth than 1 MB in 10 000 requests is not called a leak. */
const LEAST_BYTES_PER_REQUEST = 100;
/** Nor is growth by less than this in all that was seen, or by a smaller share: allocators take memory in pieces. */
const LEAST_GROWTH_BYTES = 4 * 1024 * 1024;
const LEAST_GROWTH_SHARE = 0.02;
/** What slows down to less than this share of its pace in the second half was a heap that found its size. */
const LEAST_LATE_SHARE = 0.5;

/**
 * Looks for memory that grows with the requests: the smallest value in each of twelve stretches of equal requests
 * (collectors let memory go up and down, a leak lifts the bottom), and Theil and Sen's slope through them. The first third
 * is left out, in which every service still grows. A heap that grows less and less is no leak.
 *
 * @param samples - In the order they were taken, of one process.
 */
export function leakTest(samples: readonly MemorySample[]): LeakVerdict {
  const first = samples[0]?.requests ?? 0;
  const last = samples.at(-1)?.requests ?? 0;
  const from = first + (last - first) / 3;
  const width = (last - from) / BUCKETS;
  const lowest = new Map<number, MemorySample>();
  for (const sample of samples) {
    if (sample.requests < from || width <= 0) continue;
    const bucket = Math.min(BUCKETS - 1, Math.floor((sample.requests - from) / width));
    const known = lowest.get(bucket);
    if (!known || sample.heldBytes < known.heldBytes) lowest.set(bucket, sample);
  }
  if (lowest.size < 6 || last - first < 200) {
    return { verdict: "too-short", bytesPerRequest: 0, interval: [0, 0] };
  }
  const points = [...lowest.values()].map(({ requests, heldBytes }) => ({ x: requests, y: heldBytes }));
  const { slope, slopeInterval } = theilSen(points);
  const late = theilSen(points.slice(Math.floor(points.length / 2))).slope;
  const leastGrowth = Math.max(LEAST_GROWTH_BYTES, LEAST_GROWTH_SHARE * (points[0]?.y ?? 0));
  const suspected =
    slopeInterval[0] > 0 &&
    slope > LEAST_BYTES_PER_REQUEST &&
    slope * (last - from) > leastGrowth &&
    late > LEAST_LATE_SHARE * slope;
  return {
    verdict: suspected ? "leak-suspected" : "none-seen",
    bytesPerRequest: slope,
    interval: slopeInterval,
  };
}
