import type { DeploymentPlan } from "../schema/deployment.ts";
import type { WindowResult } from "../schema/drift-result.ts";
import type { RetrainDecision, RetrainRun } from "../schema/retrain.ts";
import type { Mail } from "./inbox.ts";
import type { Sent } from "./replay.ts";
import type { Calls } from "./scoring-client.ts";

/** What the demo saw of Leeway, all of it over HTTP and SMTP. The table and the truth of the story rest on nothing else. */
export interface Observed {
  readonly days: readonly WindowResult[];
  readonly weeks: readonly WindowResult[];
  /** What the retrain policy decided after each week. */
  readonly decisions: readonly RetrainDecision[];
  readonly runs: readonly RetrainRun[];
  readonly mails: readonly Mail[];
  readonly calls: Readonly<Calls>;
  /** What the deployment has served, newest first. */
  readonly plans: readonly DeploymentPlan[];
  /** Records by the version that answered. */
  readonly answered: Readonly<Record<string, number>>;
  readonly records: Readonly<Sent>;
  readonly labels: Readonly<Sent>;
}
