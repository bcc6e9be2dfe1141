import { expect } from "vitest";

/** Fails when a value is further from another than this part of it; `tolerance` 0 wants the very value. */
export function expectRelative(got: number, want: number, tolerance = 1e-9): void {
  expect(Math.abs(got - want), `${got} is not ${want}`).toBeLessThanOrEqual(tolerance * Math.abs(want));
}
