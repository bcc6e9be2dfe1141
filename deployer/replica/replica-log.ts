/** Where a replica says what happens to it. */
export type ReplicaLog = (
  level: "info" | "warn",
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;
