import { closeSync, openSync, readdirSync, readSync, statSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";

const LONGEST = 256 * 1024;
const MOST_FILES = 8;

export const replicaLog = z
  .strictObject({ file: z.string(), lines: z.array(z.string()) })
  .meta({ id: "ReplicaLog" });
export type ReplicaLogFile = z.infer<typeof replicaLog>;

/** The last lines of the newest log files of a deployment: one of the group, and one per plan and replica. */
export function readLogs(folder: string, lines: number): ReplicaLogFile[] {
  const logs = join(folder, "logs");
  const files = readdirSync(logs)
    .map((file) => ({ file, ...statSync(join(logs, file)) }))
    .toSorted((a, b) => b.mtimeMs - a.mtimeMs)
    .slice(0, MOST_FILES);
  return files.map(({ file, size }) => ({ file, lines: lastLines(join(logs, file), size, lines) }));
}

function lastLines(path: string, size: number, lines: number): string[] {
  const bytes = Buffer.alloc(Math.min(size, LONGEST));
  const file = openSync(path, "r");
  try {
    const read = readSync(file, bytes, 0, bytes.length, size - bytes.length);
    return bytes.toString("utf8", 0, read).trimEnd().split("\n").slice(-lines);
  } finally {
    closeSync(file);
  }
}
