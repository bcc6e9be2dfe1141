import { setTimeout as sleep } from "node:timers/promises";
import { type Command, InvalidArgumentError } from "commander";
import type { CloudEvent } from "../../schema/event.ts";
import { clientFor, newCommand, newGroup, type ServerOptions, withServer } from "./command.ts";

const POLL_MS = 1_000;

interface Options extends ServerOptions {
  readonly json?: boolean;
  readonly after?: string;
  readonly follow: boolean;
}

export function eventsCommand(): Command {
  const tail = withServer(
    newCommand("tail", {
      does: "print life-cycle events as they happen, one per line, until interrupted",
      example: "leeway events tail --after 0 --no-follow --json",
    }),
  )
    .option(
      "--after <sequence>",
      "begin after this event; 0 for all of them, new ones only when absent",
      sequence,
    )
    .option("--no-follow", "print what is there and end")
    .action(async (options: Options) => {
      const client = clientFor(options);
      const read = (after: string, limit: number) =>
        client.json<{ events: CloudEvent[]; cursor: string }>({
          path: `/v1/events?${new URLSearchParams({ after, limit: String(limit) })}`,
        });
      let cursor = options.after ?? "0";
      let telling: "all" | "new" = options.after === undefined && options.follow ? "new" : "all";
      for (;;) {
        const page = await read(cursor, 1_000);
        if (telling === "all") {
          for (const event of page.events)
            process.stdout.write(`${options.json ? JSON.stringify(event) : line(event)}\n`);
        }
        cursor = page.cursor;
        if (page.events.length > 0) continue; // there may be more
        if (!options.follow) return;
        telling = "all";
        await sleep(POLL_MS);
      }
    });
  return newGroup("events", "what happened, as CloudEvents", [tail]);
}

function line({ time, type, subject, data, sequence: at }: CloudEvent): string {
  const reason = typeof data.reason === "string" ? data.reason : "";
  return [at, time, type.replace("dev.leeway.", ""), subject, reason].filter((part) => part).join("  ");
}

function sequence(text: string): string {
  if (!/^\d{1,16}$/.test(text)) throw new InvalidArgumentError("Expected the sequence number of an event.");
  return text;
}
