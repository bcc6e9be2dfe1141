import { createHash } from "node:crypto";
import { type CaptureOptions, readCaptured } from "../../protocols/capture.ts";
import { callRecords, type RecordOptions } from "../../protocols/capture-records.ts";
import type { CapturedCall, CapturedHalf } from "../../protocols/captured.ts";
import { defaultDecodeLimits, type Message } from "../../protocols/exchange.ts";
import { writeJson } from "../../protocols/json.ts";
import type { Metrics } from "../../schema/metrics.ts";
import { resourceName } from "../../schema/names.ts";
import type { CaptureAnswer, IngestAnswer } from "../../schema/record.ts";
import type { CaptureHalves } from "../../store/capture-halves.ts";
import type { Collector } from "../collector.ts";
import { CaptureTally } from "./capture-tally.ts";
import { type ArrivedHalf, Pairing } from "./pairing.ts";

export interface CaptureIntakeOptions {
  readonly collector: Pick<Collector, "receiveRecords" | "receiveLabels" | "limits">;
  readonly halves: CaptureHalves;
  readonly metrics: Metrics;
  readonly now: () => Date;
  /** How long a half waits for the other. */
  readonly waitMs: number;
  /** Bytes of halves that may wait. */
  readonly mostBytes: number;
  /** Names that a version's features are registered with, in order. */
  readonly namesOf?: (model: string, version: string | undefined) => readonly string[] | undefined;
}

/** How a body is to be read. */
export interface CaptureReading extends Omit<CaptureOptions, "limits"> {
  /** Names for features and outputs that come without, in order; those of the registry when absent. */
  readonly featureNames?: readonly string[] | undefined;
  readonly outputNames?: readonly string[] | undefined;
  /** Input or output that holds a row's own id, by which its truth will be known, instead of that of the call. */
  readonly idName?: string | undefined;
}

/** Rows of one model on their way to the collector, and where in the body each comes from. */
interface Gathered {
  readonly lines: string[];
  readonly indexes: number[];
}

/** Opens the intake; what waited when an earlier process ended waits on. */
export async function openCaptureIntake(options: CaptureIntakeOptions): Promise<CaptureIntake> {
  const { bytes } = await options.halves.waiting();
  return new CaptureIntake(options, bytes);
}

/** Takes in what other systems captured: as records and labels of ours where it is whole, as halves where it is not. */
export class CaptureIntake {
  readonly #options: CaptureIntakeOptions;
  readonly #pairing: Pairing;

  constructor(options: CaptureIntakeOptions, waitingBytes: number) {
    this.#options = options;
    this.#pairing = new Pairing({
      store: options.halves,
      now: options.now,
      mostBytes: options.mostBytes,
      bytes: waitingBytes,
    });
  }

  /**
   * Takes the body of a request in. When it returns, what is counted as stored, duplicate, waiting or repeated survives
   * a crash.
   * @throws ServiceError `invalid-input` when the body as a whole cannot be read, `queue-full`, `unavailable`.
   */
  async take(message: Message, reading: CaptureReading): Promise<CaptureAnswer> {
    const tally = new CaptureTally(this.#options.collector.limits.namedErrors);
    const records = new Map<string, Gathered>();
    const labels = new Map<string, Gathered>();
    const halves: ArrivedHalf[] = [];
    const asked = decodeOptions(reading);
    const options = ({ model, version }: CapturedCall) => {
      const featureNames = asked.featureNames ?? this.#options.namesOf?.(model, version);
      return featureNames === undefined ? asked : { ...asked, featureNames };
    };
    for (const { index, captured } of readCaptured(message, { ...reading, limits: defaultDecodeLimits })) {
      tally.event();
      if (captured.kind === "ignored") tally.ignore();
      else if (captured.kind === "refused") tally.refuse(index, captured.reason);
      else {
        const model =
          captured.kind === "half" || captured.kind === "call" ? captured.call.model : captured.model;
        const named = resourceName.safeParse(model);
        if (!named.success)
          tally.refuse(index, `${model.slice(0, 60)} is no name for a model: ${messageOf(named)}`);
        else if (captured.kind === "half") halves.push({ index, ...captured });
        else if (captured.kind === "call") {
          const { call, request, response } = captured;
          gatherCall(records, tally, { index, call, request, response }, options(call));
        } else if (captured.kind === "records")
          for (const record of captured.records) gather(records, model, index, record);
        else for (const label of captured.labels) gather(labels, model, index, label);
      }
    }
    await this.#send(records, "receiveRecords", tally);
    await this.#send(labels, "receiveLabels", tally);
    const paired = await this.#pairing.take(halves, async (pairs) => {
      const completed = new Map<string, Gathered>();
      for (const pair of pairs) gatherCall(completed, tally, pair, options(pair.call));
      await this.#send(completed, "receiveRecords", tally);
    });
    return tally.answer(paired);
  }

  /** To be called now and then: gives up halves that have waited too long, and shows how many wait. */
  async tick(): Promise<void> {
    const { halves, metrics, now, waitMs } = this.#options;
    const expired = await halves.expire(new Date(now().getTime() - waitMs));
    for (const { model, side, halves: count } of expired) {
      metrics.count("leeway_capture_expired_total", { model, kind: side }, count);
    }
    const waiting = await halves.waiting();
    this.#pairing.recount(waiting.bytes);
    metrics.set("leeway_capture_waiting_halves", {}, waiting.halves);
  }

  async #send(
    gathered: ReadonlyMap<string, Gathered>,
    receive: "receiveRecords" | "receiveLabels",
    tally: CaptureTally,
  ): Promise<void> {
    const { collector } = this.#options;
    await Promise.all(
      [...gathered].map(async ([model, { lines, indexes }]) => {
        const bytes = Buffer.from(lines.join("\n"));
        const answer: IngestAnswer = await collector[receive](model, { bytes, format: "ndjson" });
        tally.add(answer, indexes);
      }),
    );
  }
}

function messageOf(result: ReturnType<typeof resourceName.safeParse>): string {
  return result.error?.issues[0]?.message ?? "";
}

function decodeOptions({ featureNames, outputNames, idName }: CaptureReading): RecordOptions {
  return {
    featureNames,
    outputNames,
    idName,
    digest: (bytes) => `sha256:${createHash("sha256").update(bytes).digest("hex")}`,
  };
}

function gatherCall(
  gathered: Map<string, Gathered>,
  tally: CaptureTally,
  {
    index,
    call,
    request,
    response,
  }: {
    readonly index: number;
    readonly call: CapturedCall;
    readonly request: CapturedHalf;
    readonly response: CapturedHalf | undefined;
  },
  options: RecordOptions,
): void {
  const made = callRecords(call, request, response, options);
  if (made.outcome === "refused") {
    tally.refuse(index, made.reason);
    return;
  }
  for (const note of made.notes) tally.note(index, note);
  for (const record of made.records) gather(gathered, call.model, index, { ...record });
}

function gather(
  gathered: Map<string, Gathered>,
  model: string,
  index: number,
  row: Parameters<typeof writeJson>[0],
): void {
  let rows = gathered.get(model);
  if (!rows) {
    rows = { lines: [], indexes: [] };
    gathered.set(model, rows);
  }
  rows.lines.push(writeJson(row));
  rows.indexes.push(index);
}
