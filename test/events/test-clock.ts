/** A clock that moves when the test says so. */
export interface TestClock {
  now(): Date;
  advance(milliseconds: number): void;
}

export function testClock(start = "2026-03-02T08:00:00.000Z"): TestClock {
  let time = Date.parse(start);
  return {
    now: () => new Date(time),
    advance: (milliseconds) => {
      time += milliseconds;
    },
  };
}

export const SECOND = 1_000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
