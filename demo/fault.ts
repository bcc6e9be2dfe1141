import type { Flight } from "./flights.ts";

/**
 * The one thing in the demo that did not happen in 2001: for two days the feed of distances is in kilometres, as after a
 * careless release upstream. It is put right once the people who were told have come to it.
 */
export const UNIT_FAULT = {
  from: new Date("2001-04-01T00:00:00Z"),
  to: new Date("2001-04-03T00:00:00Z"),
  kilometresPerMile: 1.609344,
} as const;

/** The flight as the feed hands it on: its distance in whole kilometres while the fault lasts. */
export function asFed(flight: Flight): Flight {
  if (flight.time < UNIT_FAULT.from || flight.time >= UNIT_FAULT.to) return flight;
  const distance = Math.round(flight.inputs.distance * UNIT_FAULT.kilometresPerMile);
  return { ...flight, inputs: { ...flight.inputs, distance } };
}
