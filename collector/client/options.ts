/** One scored instance. `time` is that of capture, and `id` a UUIDv7, when absent. */
export interface CapturedRecord {
  readonly id?: string | number;
  /** Position within the scored batch of this id. */
  readonly row?: number;
  readonly time?: Date | string | number;
  readonly version?: string;
  readonly deployment?: string;
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
  readonly status?: number;
  readonly latency_ms?: number;
  /** How many scored instances it stands for, where the caller keeps a sample. */
  readonly weight?: number;
}

type CaptureLog = (
  level: "info" | "warn",
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

export interface CaptureOptions {
  /** Address of Leeway, such as `http://127.0.0.1:8420`. */
  readonly collector: string;
  readonly model: string;
  readonly apiKey?: string | undefined;
  /** Of every record that names none. */
  readonly version?: string | undefined;
  readonly deployment?: string | undefined;
  /** Share of records to keep, in (0, 1]: chosen by id, weighted accordingly. Errors (status 400 and up) are all kept. */
  readonly sample?: number;
  /** JSON that is sent in one request, about. */
  readonly batchBytes?: number;
  /** How long a record waits for others. */
  readonly batchMs?: number;
  /** What may wait in memory. */
  readonly memoryBytes?: number;
  /** Folder for what waits while Leeway does not answer; of one process at a time. Without it that is dropped. */
  readonly spoolDir?: string | undefined;
  readonly spoolBytes?: number;
  /** How batches go: `none` spares the work where Leeway is on the same machine. */
  readonly compress?: "gzip" | "none";
  /** Told when Leeway begins and ceases to answer, and of what it rejects. */
  readonly log?: CaptureLog;
  readonly now?: () => Date;
}

type Defaulted =
  | "sample"
  | "batchBytes"
  | "batchMs"
  | "memoryBytes"
  | "spoolBytes"
  | "compress"
  | "log"
  | "now";

export const captureDefaults: Required<Pick<CaptureOptions, Defaulted>> = {
  sample: 1,
  batchBytes: 128 * 1024,
  batchMs: 1_000,
  memoryBytes: 16 * 1024 * 1024,
  spoolBytes: 1024 * 1024 * 1024,
  compress: "gzip",
  log: () => undefined,
  now: () => new Date(),
};

/** Records so far. */
export interface CaptureStats {
  readonly captured: number;
  /** Not in the sample: the client's, or the one that Leeway keeps of the model. */
  readonly sampledOut: number;
  /** Found in the spool of an earlier process. */
  readonly recovered: number;
  readonly stored: number;
  /** Sent before; stored once. */
  readonly duplicates: number;
  /** Leeway will not take them; the log says why. */
  readonly rejected: number;
  /** No room, no JSON, or captured after `close`. */
  readonly dropped: number;
  readonly waiting: number;
  /** Of those that wait, on disk. */
  readonly spooled: number;
  /** Requests that failed. */
  readonly failures: number;
}
