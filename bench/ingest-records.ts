/** Fourteen decimal numbers, three whole ones, two categories and a truth value; or twenty doubles of full length. */
export type RecordKind = "mixed" | "doubles";

/** A record of twenty features and an output; event times are a second apart. */
export function record(kind: RecordKind, i: number): string {
  const inputs: Record<string, unknown> = {};
  for (let f = 0; f < 20; f++) {
    inputs[`feature_${f}`] =
      kind === "doubles"
        ? Math.random()
        : f < 14
          ? Math.round(Math.random() * 1e4) / 1e2
          : f < 17
            ? Math.floor(Math.random() * 1000)
            : f < 19
              ? ["red", "green", "blue"][i % 3]
              : i % 2 === 0;
  }
  return JSON.stringify({
    id: `request-${i}`,
    time: new Date(1_760_000_000_000 + i * 1000).toISOString(),
    version: "1",
    inputs,
    outputs: { score: Math.random() },
  });
}

/** Records `[from, to)`, one a line. */
export function batch(kind: RecordKind, from: number, to: number): Buffer {
  return Buffer.from(Array.from({ length: to - from }, (_, i) => `${record(kind, from + i)}\n`).join(""));
}
