import {
  build,
  decodeFromCompressedBase64,
  encodeIntoCompressedBase64,
  type Histogram,
} from "hdr-histogram-js";

/** Latencies longer than this count as this: 10 minutes. */
const MOST_US = 600_000_000;

/** A histogram of microseconds with three digits, that can be added to others and sent as text. */
export function newHistogram(): Histogram {
  return build({
    lowestDiscernibleValue: 1,
    highestTrackableValue: MOST_US,
    numberOfSignificantValueDigits: 3,
    bitBucketSize: 32,
    useWebAssembly: false,
  });
}

/** Adds a time in milliseconds. */
export function recordMs(histogram: Histogram, ms: number): void {
  histogram.recordValue(Math.min(MOST_US, Math.max(1, Math.round(ms * 1_000))));
}

/** As HdrHistogram's other tools read it: version 2, compressed, base64. */
export function encodeHistogram(histogram: Histogram): string {
  return encodeIntoCompressedBase64(histogram);
}

export function decodeHistogram(text: string): Histogram {
  return decodeFromCompressedBase64(text, 32, false);
}

/** Value in milliseconds that the share `percentile` / 100 of the records does not exceed; 0 when there is none. */
export function percentileMs(histogram: Histogram, percentile: number): number {
  return histogram.totalCount === 0 ? 0 : histogram.getValueAtPercentile(percentile) / 1_000;
}

/** All of them together. */
export function mergeHistograms(histograms: readonly Histogram[]): Histogram {
  const sum = newHistogram();
  for (const histogram of histograms) sum.add(histogram);
  return sum;
}
