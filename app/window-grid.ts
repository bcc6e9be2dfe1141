/** Days and weeks begin at midnight UTC, weeks on Monday: 1970-01-05 was one. */
const ORIGIN_MS = Date.UTC(1970, 0, 5);

export interface Window {
  readonly from: Date;
  readonly to: Date;
}

/** The window of this length that holds `time`; windows are half-open `[from, to)` and lie side by side from `origin`. */
export function windowAt(time: Date, lengthMs: number, origin?: Date): Window {
  const start = origin?.getTime() ?? ORIGIN_MS;
  const from = start + Math.floor((time.getTime() - start) / lengthMs) * lengthMs;
  return { from: new Date(from), to: new Date(from + lengthMs) };
}

/** The windows that lie wholly within `[from, to)`, in order. */
export function windowsWithin(from: Date, to: Date, lengthMs: number, origin?: Date): Window[] {
  let window = windowAt(from, lengthMs, origin);
  if (window.from < from) window = windowAt(window.to, lengthMs, origin);
  const windows: Window[] = [];
  while (window.to <= to) {
    windows.push(window);
    window = windowAt(window.to, lengthMs, origin);
  }
  return windows;
}
