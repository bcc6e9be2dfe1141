import { join } from "node:path";
import { parentPort, workerData } from "node:worker_threads";
import { resourceName } from "../../schema/names.ts";
import { BatchBuilder } from "./batch.ts";
import type { Call } from "./call.ts";
import { Counters } from "./counters.ts";
import { decodeCall, decodeOptions } from "./decode-call.ts";
import { type FlatCall, FlatCalls } from "./flat-call.ts";
import type { BackgroundStart, FromBackground, ToBackground } from "./messages.ts";
import { NumericCalls } from "./numeric-call.ts";
import { Outbox, type OutboxOptions } from "./outbox.ts";
import { batchPoster } from "./post-batch.ts";
import { failedId, LONGEST_ID } from "./record-id.ts";
import { flatRecord, recordWriter } from "./record-text.ts";
import { redactor } from "./redact.ts";
import { isSampled } from "./sampling.ts";
import { readSlab, type Slab } from "./slab.ts";
import { Spool } from "./spool.ts";

/**
 * The thread that makes records of calls and sends them. The proxy never waits for it: a long payload that takes a
 * while to decode, or a disk that stalls, delays other records and no call.
 */
const BATCH_MS = 1_000;
/** A heavier weight is not taken. */
const HEAVIEST = 1_000_000;
const QUIET_MS = 60_000;

if (!parentPort) throw new Error("this is a worker thread of the sidecar and no program");
const port = parentPort;
const { options, counters: shared } = workerData as BackgroundStart;
const counters = new Counters(shared);
const log: OutboxOptions["log"] = (level, message, fields = {}) =>
  tell({ say: "log", level, message, fields });
const outbox = new Outbox({
  post: batchPoster(options),
  spool: openSpool(),
  memoryBytes: options.memoryBytes / 2,
  counters,
  log,
  random: Math.random,
});
const SAMPLE_WEIGHT = Math.min(1 / options.sample, HEAVIEST);
let quietUntilMs = 0;
const batch = new BatchBuilder();
const redact = redactor(options.redactions, options.redactKey);
const reading = decodeOptions(options);
/** Values that are redacted have to be decoded. */
const flatCalls = options.redactions.length === 0 ? new FlatCalls(reading) : undefined;
const numericCalls = flatCalls && new NumericCalls(options.bodyBytes * 4, reading);

port.on("message", (message: ToBackground) => {
  if (message.say === "calls") takeCalls(message.slab);
  else void drain(message.graceMs);
});
const timer = setInterval(() => {
  // A clock that was set back must not keep a batch until it has caught up.
  if (batch.records > 0 && Math.abs(Date.now() - batch.timeMs) >= BATCH_MS) sendBatch();
}, BATCH_MS / 4);
tell({ say: "ready" });

function takeCalls(slab: Slab): void {
  for (const call of readSlab(slab)) {
    try {
      takeCall(call);
    } catch (error) {
      counters.add("undecoded_requests_format");
      log("warn", "a call could not be made a record", { why: (error as Error).message });
    }
  }
  counters.set("gathering_records", batch.records);
  tell({ say: "done", slab }, [slab.buffer]);
}

function takeCall(call: Call): void {
  const flat = flatCalls?.find(call) ?? numericCalls?.find(call);
  if (flat) {
    takeFlatCall(call, flat);
    return;
  }
  const decoded = decodeCall(call, options.bodyBytes * 4, reading);
  if (decoded.outcome === "undecodable") {
    counters.add(`undecoded_requests_${decoded.why}`);
    tellWhy(decoded.reason, call);
    return;
  }
  const own = call.idState === "open" && (decoded.id?.length ?? 0) <= LONGEST_ID ? decoded.id : undefined;
  const id = own ? (call.status < 400 ? own : failedId(own, call.id)) : call.id;
  if (call.idState === "open" && call.status < 400 && !isSampled(id, options.sample)) {
    counters.add("sampled_out_decoded_requests");
    return;
  }
  const { timeMs, latencyMs, status } = call;
  // Errors are all there.
  const weight = status < 400 ? SAMPLE_WEIGHT : 1;
  const write = recordWriter(
    { id, timeMs, latencyMs, status, weight },
    { version: versionOf(decoded), deployment: options.deployment, redact },
  );
  for (const row of decoded.rows) gather(write(row), timeMs);
}

function takeFlatCall({ id, timeMs, latencyMs, status }: Call, flat: FlatCall): void {
  const record = flatRecord(
    { id, timeMs, latencyMs, status, weight: SAMPLE_WEIGHT },
    { version: versionOf(flat), deployment: options.deployment },
    flat,
  );
  gather(record, timeMs);
}

function gather(record: Parameters<BatchBuilder["add"]>[0], timeMs: number): void {
  counters.add("captured_records");
  const full = batch.add(record, timeMs);
  if (full) outbox.add(full);
}

function versionOf({ version }: { readonly version: string | undefined }): string | undefined {
  return options.version ?? (version === undefined ? undefined : resourceName.safeParse(version).data);
}

/** Says now and then why calls are not recorded: a format that is not known shows in every call. */
function tellWhy(reason: string, { path }: Call): void {
  const now = Date.now();
  if (now < quietUntilMs) return;
  quietUntilMs = now + QUIET_MS;
  log("warn", "a call is not recorded", { path: path.split("?")[0], reason }); // a query may hold a key
}

function sendBatch(): void {
  const gathered = batch.take();
  counters.set("gathering_records", 0);
  if (gathered) outbox.add(gathered);
}

async function drain(graceMs: number): Promise<void> {
  clearInterval(timer);
  sendBatch();
  await outbox.drain(graceMs);
  tell({ say: "drained" });
}

/** Without its folder the sidecar does all else: a scored call must not fail for it. */
function openSpool(): Spool | undefined {
  if (options.spoolDir === undefined) return undefined;
  try {
    return Spool.open(join(options.spoolDir, options.model), options.spoolBytes);
  } catch (error) {
    log("warn", "the spool folder cannot be used: what does not fit in memory will be dropped", {
      why: (error as Error).message,
    });
    return undefined;
  }
}

function tell(message: FromBackground, transfer: readonly ArrayBuffer[] = []): void {
  port.postMessage(message, transfer);
}
