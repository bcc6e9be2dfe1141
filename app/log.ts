import { Writable } from "node:stream";
import { type DestinationStream, type Logger, pino } from "pino";
import type { Config } from "./config-schema.ts";
import { maskAddresses } from "./mask.ts";

export type Log = Logger;

/** Fields that must never be read in a log, wherever they stand in what is logged. */
const SECRET_FIELDS = [
  "authorization",
  "key",
  "hash",
  "secret",
  "password",
  "token",
  "api_key",
  "smtp_url",
  "redact_key",
];

/**
 * One JSON object per line; plain lines for people when `look` is `plain`.
 * Secret fields are taken out, and passwords out of every address.
 */
export function createLog({
  level,
  look = "json",
  to = process.stdout,
}: {
  readonly level: Config["log_level"];
  readonly look?: "json" | "plain";
  readonly to?: DestinationStream;
}): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: {
        paths: SECRET_FIELDS.flatMap((field) => [field, `*.${field}`, `*.*.${field}`]),
        censor: "***",
      },
      hooks: { streamWrite: maskAddresses },
    },
    look === "plain" ? plainLines(to) : to,
  );
}

/** `12:00:01 info  listening url=http://127.0.0.1:8420` */
function plainLines(to: DestinationStream): Writable {
  return new Writable({
    write(chunk: Buffer, _, done) {
      const { time, level, msg, err, ...fields } = JSON.parse(chunk.toString()) as Record<string, unknown>;
      const shown = Object.entries(fields).map(
        ([key, value]) => `${key}=${typeof value === "string" ? value : JSON.stringify(value)}`,
      );
      const clock = String(time).slice(11, 19);
      const stack = err !== null && typeof err === "object" && "stack" in err ? `\n${String(err.stack)}` : "";
      to.write(`${clock} ${String(level).padEnd(5)} ${[msg, ...shown].join(" ")}${stack}\n`);
      done();
    },
  });
}
