/** The clock of most of a state's airports, as an IANA zone. */
const ZONE_OF_STATE: Readonly<Record<string, string>> = {
  ...zone("America/New_York", "CT FL GA KY MA MD ME MI NC NH NJ NY OH PA RI SC VA VT WV"),
  ...zone("America/Chicago", "AL AR IA IL KS LA MN MO MS ND NE OK SD TN TX WI"),
  ...zone("America/Denver", "CO ID MT NM UT WY"),
  ...zone("America/Los_Angeles", "CA NV OR WA"),
  ...zone("America/Phoenix", "AZ"), // no summer time
  ...zone("America/Indiana/Indianapolis", "IN"), // no summer time until 2006
  ...zone("America/Anchorage", "AK"),
  ...zone("Pacific/Honolulu", "HI"), // no summer time
  ...zone("America/Puerto_Rico", "PR VI"), // no summer time
};

/** Airports whose clock is not that of most of their state, or whose state the list of airports does not know. */
const ZONE_OF_AIRPORT: Readonly<Record<string, string>> = {
  ...zone("America/Chicago", "PNS VPS EVV"),
  ...zone("America/New_York", "TYS CHA TRI MQT"),
  ...zone("America/Denver", "ELP RAP"),
};

/** Where an airport is: its code and its state, as in `airports.csv` of vega-datasets. */
export interface Airport {
  readonly iata: string;
  readonly state: string;
}

/**
 * The time zone of an airport of the flights of 2001; `undefined` where none of them began.
 *
 * @example
 * timeZoneOf({ iata: "TYS", state: "TN" }); // "America/New_York": Knoxville, in the east of a state on central time
 */
export function timeZoneOf({ iata, state }: Airport): string | undefined {
  return ZONE_OF_AIRPORT[iata] ?? ZONE_OF_STATE[state];
}

function zone(name: string, codes: string): Record<string, string> {
  return Object.fromEntries(codes.split(" ").map((code) => [code, name]));
}
