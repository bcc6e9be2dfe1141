/** A point in time as two exact numbers: together microseconds would pass 2^53 in the year 2255. */
export interface Instant {
  /** Whole seconds since 1970-01-01T00:00:00Z. */
  seconds: number;
  /** 0 to 999,999. */
  micros: number;
}

const MONTH_DAYS = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/**
 * Reads RFC 3339 (`2026-11-21T10:00:00.5+01:00`) from ASCII bytes into `into`. Digits beyond microseconds are cut off.
 * Says yes exactly where `schema/record.ts`'s `timeText` does.
 */
export function readTimestamp(bytes: Uint8Array, from: number, to: number, into: Instant): boolean {
  if (to - from < 20) return false;
  const year = two(bytes, from) * 100 + two(bytes, from + 2);
  const month = two(bytes, from + 5);
  const day = two(bytes, from + 8);
  const hour = two(bytes, from + 11);
  const minute = two(bytes, from + 14);
  const second = two(bytes, from + 17);
  // two() is at least -10,000,000 where a character is no digit, so one of these sums gives it away.
  if (year < 0 || month < 1 || month > 12 || day < 1 || day > (MONTH_DAYS[month - 1] as number)) return false;
  if (month === 2 && day === 29 && !isLeap(year)) return false;
  if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return false;
  if (bytes[from + 4] !== 0x2d || bytes[from + 7] !== 0x2d || bytes[from + 10] !== 0x54) return false;
  if (bytes[from + 13] !== 0x3a || bytes[from + 16] !== 0x3a) return false;
  let at = from + 19;
  let micros = 0;
  if (bytes[at] === 0x2e) {
    const start = ++at;
    let unit = 100_000;
    while (at < to && (bytes[at] as number) >= 0x30 && (bytes[at] as number) <= 0x39) {
      micros += unit * ((bytes[at] as number) - 0x30);
      unit = unit === 1 || unit === 0 ? 0 : unit / 10;
      at++;
    }
    if (at === start) return false;
  }
  const offset = offsetSeconds(bytes, at, to);
  if (Number.isNaN(offset)) return false;
  into.seconds = daysSince1970(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
  into.micros = micros;
  return true;
}

/** Seconds east of Greenwich, from `Z` or `+01:00`; NaN for anything else. */
function offsetSeconds(bytes: Uint8Array, at: number, to: number): number {
  if (bytes[at] === 0x5a) return at + 1 === to ? 0 : Number.NaN;
  const sign = bytes[at] === 0x2b ? 1 : bytes[at] === 0x2d ? -1 : 0;
  if (sign === 0 || at + 6 !== to || bytes[at + 3] !== 0x3a) return Number.NaN;
  const hours = two(bytes, at + 1);
  const minutes = two(bytes, at + 4);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return Number.NaN;
  return sign * (hours * 3_600 + minutes * 60);
}

/** The number of two digits at `at`; far below zero when one of them is no digit. */
function two(bytes: Uint8Array, at: number): number {
  const tens = (bytes[at] as number) - 0x30;
  const ones = (bytes[at + 1] as number) - 0x30;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : -10_000_000;
}

function isLeap(year: number): boolean {
  return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
}

/** Days of the proleptic Gregorian calendar. @see H. Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2021), days_from_civil. */
function daysSince1970(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear;
  return era * 146_097 + dayOfEra - 719_468;
}

/** The instant of a `Date`. */
export function instantOf(date: Date): Instant {
  const ms = date.getTime();
  const seconds = Math.floor(ms / 1000);
  return { seconds, micros: Math.round((ms - seconds * 1000) * 1000) };
}
