import { createReadStream } from "node:fs";
import { Readable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import type { IngestAnswer } from "../schema/record.ts";
import type { ApiClient } from "./api-client.ts";
import { waitBeforeRetry } from "./send-batches.ts";

const MEDIA_TYPE = { csv: "text/csv", parquet: "application/vnd.apache.parquet" } as const;

/** Sends a CSV or Parquet file as it is, until it is acknowledged. Sent again, it is stored once. */
export async function sendTable(
  client: ApiClient,
  {
    path,
    file,
    format,
    onProgress,
  }: {
    readonly path: string;
    readonly file: string;
    readonly format: keyof typeof MEDIA_TYPE;
    readonly onProgress?: (bytes: number) => void;
  },
): Promise<IngestAnswer> {
  for (let tries = 1; ; tries++) {
    const source = file === "-" ? process.stdin : createReadStream(file);
    let bytes = 0;
    source.on("data", (part: Buffer) => {
      bytes += part.length;
      onProgress?.(bytes);
    });
    try {
      return await client.json<IngestAnswer>({
        method: "POST",
        path,
        headers: {
          "content-type": MEDIA_TYPE[format],
          ...(file.endsWith(".gz") ? { "content-encoding": "gzip" } : {}),
        },
        body: Readable.toWeb(source) as ReadableStream,
      });
    } catch (error) {
      const waitMs = file === "-" ? undefined : waitBeforeRetry(error, tries, "nothing");
      if (waitMs === undefined) throw error;
      await sleep(waitMs);
    } finally {
      if (file !== "-") source.destroy();
    }
  }
}
