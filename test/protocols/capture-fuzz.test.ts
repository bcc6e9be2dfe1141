import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { type CaptureFormat, type CaptureOptions, readCaptured } from "../../protocols/capture.ts";
import { callRecords } from "../../protocols/capture-records.ts";
import { type DecodeLimits, defaultDecodeLimits } from "../../protocols/exchange.ts";
import { writeJson } from "../../protocols/json.ts";
import { bodyOf, type GoldenMessage } from "./golden.ts";
import { mutate, randomFrom } from "./mutate.ts";
import { hexDigest } from "./payload.ts";

/** Mutated payloads per golden file: LEEWAY_FUZZ_PAYLOADS=100000 for the long run. */
const PAYLOADS = Number(process.env.LEEWAY_FUZZ_PAYLOADS ?? 500);

const DIRECTORY = join(import.meta.dirname, "capture-golden");
const limits: DecodeLimits = { ...defaultDecodeLimits, rows: 50, cells: 500, textLength: 64 };

describe(`${PAYLOADS} mutated captures`, () => {
  it.each(readdirSync(DIRECTORY))(
    "of %s neither throw nor pass the limits",
    { timeout: 60_000 + PAYLOADS * 2 },
    (file) => {
      const golden = JSON.parse(readFileSync(join(DIRECTORY, file), "utf8")) as {
        readonly format: CaptureFormat;
        readonly messages: readonly (GoldenMessage & Pick<CaptureOptions, "collection" | "truth">)[];
      };
      const random = randomFrom(file.length * 104_729);
      const messages = golden.messages.map(({ body, ...more }) => ({ ...more, body: bodyOf({ body }) }));
      let read = 0;
      for (let payload = 0; payload < PAYLOADS; payload++) {
        const message = messages[payload % messages.length];
        if (!message) continue;
        const { headers, body, collection = "inputs", truth } = message;
        const reading = { format: golden.format, model: "m", collection, truth, limits };
        for (const { captured } of capturedOf({ headers, body: mutate(body, random) }, reading)) {
          if (captured.kind === "labels")
            for (const label of captured.labels) JSON.parse(writeJson({ ...label }));
          const records = recordsOf(captured);
          if (records.length > limits.rows) throw new Error(`${records.length} records`);
          for (const record of records) JSON.parse(writeJson({ ...record }));
        }
        read++;
      }
      expect(read).toBe(PAYLOADS);
    },
  );
});

function capturedOf(message: Parameters<typeof readCaptured>[0], options: CaptureOptions) {
  try {
    return readCaptured(message, options);
  } catch (error) {
    // A body that is no JSON at all is refused as a whole.
    if (error instanceof Error && error.name === "ServiceError" && error.message.length < 600) return [];
    throw error;
  }
}

function recordsOf(captured: ReturnType<typeof readCaptured>[number]["captured"]) {
  if (captured.kind !== "half" && captured.kind !== "call") return [];
  const request = captured.kind === "call" ? captured.request : captured.half;
  const response = captured.kind === "call" ? captured.response : captured.half;
  const made = callRecords(captured.call, request, response, { digest: hexDigest, limits });
  return made.outcome === "records" ? made.records : [];
}
