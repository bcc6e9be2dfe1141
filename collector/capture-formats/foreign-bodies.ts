import { z } from "zod";
import type { IngestAnswer } from "../../schema/record.ts";
import type { Collector } from "../collector.ts";
import { type BodySource, readBody } from "../request-body.ts";
import type { CaptureIntake, CaptureReading } from "./capture-intake.ts";
import { type TableUpload, tableFormatOf } from "./table-upload.ts";

/** Names, separated by commas. */
const names = z
  .string()
  .min(1)
  .transform((text) => text.split(",").map((name) => name.trim()));

/** How a table is read, or a capture without names. */
export const foreignQuery = z.object({
  id: z.string().optional().meta({ description: "CSV, Parquet: column with the id, if not id or record_id" }),
  time: z.string().optional().meta({ description: "CSV, Parquet: column with the event time, if not time" }),
  label: z.string().optional().meta({ description: "CSV, Parquet: column with ground truth, if not label" }),
  inputs: names.optional().meta({
    description: "Input columns of a table, or names for what a capture leaves nameless; separated by commas",
  }),
  outputs: names.optional().meta({ description: "The same for outputs" }),
  ignore: names.optional().meta({ description: "CSV, Parquet: columns to leave out" }),
});

export interface ForeignBody extends BodySource {
  readonly query: z.output<typeof foreignQuery>;
}

/** Bodies of requests that are neither our JSON nor NDJSON: CloudEvents, CSV and Parquet, and what other systems capture. */
export class ForeignBodies {
  readonly #intake: CaptureIntake;
  readonly #upload: TableUpload;
  readonly #collector: Pick<Collector, "reserve" | "limits">;

  constructor(parts: {
    readonly intake: CaptureIntake;
    readonly upload: TableUpload;
    readonly collector: Pick<Collector, "reserve" | "limits">;
  }) {
    this.#intake = parts.intake;
    this.#upload = parts.upload;
    this.#collector = parts.collector;
  }

  /** What became of the body; undefined when it is none of these. */
  take(what: "records" | "labels", model: string, body: ForeignBody): Promise<IngestAnswer> | undefined {
    const { headers } = body.request;
    const type = headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
    const format = tableFormatOf(type);
    if (format) {
      const idempotencyKey = headers.get("idempotency-key") ?? undefined;
      return this.#upload.take(what, model, { ...body, format, roles: body.query, idempotencyKey });
    }
    if (!type.startsWith("application/cloudevents") && !headers.has("ce-specversion")) return undefined;
    return this.capture({ format: "events", model }, body);
  }

  /** Takes a body of a capture format in. */
  async capture(
    { format, model }: Pick<CaptureReading, "format" | "model">,
    body: ForeignBody,
  ): ReturnType<CaptureIntake["take"]> {
    const room = this.#collector.reserve();
    try {
      const bytes = await readBody(body, this.#collector.limits, room);
      const { inputs: featureNames, outputs: outputNames } = body.query;
      const message = { headers: Object.fromEntries(body.request.headers), body: bytes };
      return await this.#intake.take(message, { format, model, featureNames, outputNames });
    } finally {
      room.release();
    }
  }
}
