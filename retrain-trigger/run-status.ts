import { isDeepStrictEqual } from "node:util";
import type { RetrainReport, RetrainStatus } from "../schema/retrain.ts";

/**
 * Which reports make sense at which status. A quick trainer may say nothing before it is done, and one that works
 * may say so as often as it likes; what is over stays over.
 */
const NEXT: Readonly<Record<RetrainStatus, readonly RetrainReport["status"][]>> = {
  requested: ["started", "completed", "failed"],
  started: ["started", "completed", "failed"],
  completed: [],
  failed: [],
};

export type ReportFit = "new" | "repeat" | "nonsense";

/**
 * Whether a report fits the run. The same report sent again, as by a trainer whose first try got no answer, is a repeat.
 *
 * @param last - The run's last report.
 */
export function fitOf(
  status: RetrainStatus,
  report: RetrainReport,
  last: RetrainReport | undefined,
): ReportFit {
  if (last && isDeepStrictEqual(last, report)) return "repeat";
  return NEXT[status].includes(report.status) ? "new" : "nonsense";
}
