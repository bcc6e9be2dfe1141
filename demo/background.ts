/**
 * What went on in the United States in windows that Leeway may call. The demo tells it only beside a window that Leeway has
 * called by itself; nothing here has a part in any decision.
 */
const BACKGROUND: Readonly<Record<string, string>> = {
  "2001-03-04": "A snowstorm is on its way to the northeast, and airlines cancel ahead of it.",
  "2001-03-05": "A snowstorm lies over the northeast: Boston and New York are all but closed.",
  "2001-03-06": "The snowstorm is still there.",
  "2001-04-02 to 2001-04-08":
    "On Sunday the United States had set their clocks forward. The model goes by the UTC clock, and by that everything now leaves an hour earlier than in January. That is real, and it stays.",
  "2001-04-11": "A blizzard closes the airport of Denver.",
  "2001-06-08": "Tropical storm Allison is over Houston.",
  "2001-06-09": "Tropical storm Allison has flooded Houston; its airports are all but closed.",
};

/** @param span - A day, or `first to last`. */
export function backgroundOf(span: string): string | undefined {
  return BACKGROUND[span];
}
