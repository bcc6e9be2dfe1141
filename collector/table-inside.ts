import type { Frame } from "../store/frame.ts";
import type { FrameLoader } from "../store/frame-loader.ts";
import type { RecordRows } from "./record-rows.ts";

/** What storing a table works on. */
export interface TableInside {
  readonly records: RecordRows;
  readonly loader: FrameLoader;
  /** Settles when the tables before this one are stored, or could not be: what they hold may have been called known. */
  readonly before: Promise<void>;
  /** Takes keys out again whose rows could not be stored. */
  readonly forget: (keys: Frame) => void;
}
