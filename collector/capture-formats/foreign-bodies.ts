import { z } from "zod";
import { ServiceError } from "../../schema/errors.ts";
import type { CaptureAnswer, IngestAnswer } from "../../schema/record.ts";
import type { Collector } from "../collector.ts";
import { issuesOf } from "../record-issues.ts";
import { type BodySource, readBody } from "../request-body.ts";
import type { CaptureIntake, CaptureReading } from "./capture-intake.ts";
import { addedAnswers, nothingCaptured } from "./capture-sum.ts";
import { type TableUpload, tableFormatOf } from "./table-upload.ts";

/** Names, separated by commas. */
const names = z
  .string()
  .min(1)
  .transform((text) => text.split(",").map((name) => name.trim()));

/** How a table is read, or a capture without names. */
export const foreignQuery = z.object({
  id: z.string().min(1).optional().meta({
    description:
      "CSV, Parquet: column with the id, if not id or record_id. Captures: output or input that holds a row's own id",
  }),
  time: z.string().optional().meta({ description: "CSV, Parquet: column with the event time, if not time" }),
  label: z.string().optional().meta({ description: "CSV, Parquet: column with ground truth, if not label" }),
  inputs: names.optional().meta({
    description: "Input columns of a table, or names for what a capture leaves nameless; separated by commas",
  }),
  outputs: names.optional().meta({ description: "The same for outputs" }),
  ignore: names.optional().meta({ description: "CSV, Parquet: columns to leave out" }),
});

/** The same for the API document. */
export const foreignParameters = Object.entries(foreignQuery.shape).map(([name, schema]) => ({
  name,
  in: "query" as const,
  required: false,
  schema: { type: "string" as const },
  description: schema.meta()?.description ?? "",
}));

/** A body whose query nobody has looked at. */
export interface UnreadForeignBody extends BodySource {
  readonly query: () => Readonly<Record<string, string>>;
}

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

  /**
   * What became of the body; undefined when it is none of these.
   * @throws ServiceError `invalid-input` when the query is not understood, and as the ways in do.
   */
  take(
    what: "records" | "labels",
    model: string,
    unread: UnreadForeignBody,
  ): Promise<IngestAnswer> | undefined {
    const { headers } = unread.request;
    const type = headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
    const format = tableFormatOf(type);
    if (!format && !type.startsWith("application/cloudevents") && !headers.has("ce-specversion"))
      return undefined;
    const body = { ...unread, query: readQuery(unread.query()) };
    if (format) {
      const idempotencyKey = headers.get("idempotency-key") ?? undefined;
      return this.#upload.take(what, model, { ...body, format, roles: body.query, idempotencyKey });
    }
    return this.capture({ format: "events", model }, body);
  }

  /** Takes a body of a capture format in. */
  async capture(
    reading: Omit<CaptureReading, "featureNames" | "outputNames">,
    body: ForeignBody,
  ): ReturnType<CaptureIntake["take"]> {
    const type = body.request.headers.get("content-type")?.split(";", 1)[0]?.trim().toLowerCase() ?? "";
    if (reading.format === "events" && tableFormatOf(type) === "parquet")
      return this.#captureTable(reading, body);
    const room = this.#collector.reserve();
    try {
      const bytes = await readBody(body, this.#collector.limits, room);
      const message = { headers: Object.fromEntries(body.request.headers), body: bytes };
      return await this.#intake.take(message, { ...reading, ...namesIn(body) });
    } finally {
      room.release();
    }
  }

  /** A file of KServe's logger in Parquet, or ground truth of Azure ML's, part by part. */
  async #captureTable(
    reading: Omit<CaptureReading, "featureNames" | "outputNames">,
    body: ForeignBody,
  ): Promise<CaptureAnswer> {
    const headers = { "content-type": "application/x-ndjson" };
    let sum = nothingCaptured;
    const table = reading.collection === "labels" ? TRUTH_TABLE : LOGGER_TABLE;
    for await (const text of this.#upload.captureLines(body, table)) {
      const part = { headers, body: Buffer.from(text) };
      sum = addedAnswers(sum, await this.#intake.take(part, { ...reading, ...namesIn(body) }));
    }
    return sum;
  }
}

/** Columns are in small letters and without underscores. */
const LOGGER_TABLE = { is: "of KServe's logger", columns: ["id", "reqtype", "bytes"] } as const;
const TRUTH_TABLE = { is: "of ground truth as Azure ML joins it", columns: ["correlationid"] } as const;

function namesIn({
  query,
}: ForeignBody): Pick<CaptureReading, "featureNames" | "outputNames" | "idName" | "truth"> {
  const { id, inputs, outputs, label, time } = query;
  return { featureNames: inputs, outputNames: outputs, idName: id, truth: { label, time } };
}

function readQuery(query: Readonly<Record<string, string>>): ForeignBody["query"] {
  const read = foreignQuery.safeParse(query);
  if (read.success) return read.data;
  const issues = issuesOf(read.error);
  throw new ServiceError(
    "invalid-input",
    `the query is not valid: ${issues[0]?.path} ${issues[0]?.message}`,
    {
      issues,
    },
  );
}
