/** A source of numbers in [0, 1). */
export type Random = () => number;

/**
 * Numbers that look random and are the same for the same seed, so that a run can be repeated.
 *
 * @param seed - Any whole number.
 * @see Bob Jenkins, A small noncryptographic PRNG (2007); the 32-bit JSF variant.
 * @example
 * const random = seededRandom(7);
 * random(); // the same number in every run
 */
export function seededRandom(seed: number): Random {
  let a = 0xf1ea5eed;
  let b = seed | 0;
  let c = seed | 0;
  let d = seed | 0;
  const next = () => {
    const e = (a - ((b << 27) | (b >>> 5))) | 0;
    a = b ^ ((c << 17) | (c >>> 15));
    b = (c + d) | 0;
    c = (d + e) | 0;
    d = (e + a) | 0;
    return (d >>> 0) / 4_294_967_296;
  };
  for (let i = 0; i < 20; i += 1) next();
  return next;
}

/** The items in an order drawn at random (Fisher and Yates). */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const left = [...items];
  const drawn: T[] = [];
  while (left.length > 0) drawn.push(...left.splice(Math.floor(random() * left.length), 1));
  return drawn;
}
