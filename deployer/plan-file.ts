import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import type { ReplicaPlan } from "../schema/deployment.ts";
import { ServiceError } from "../schema/errors.ts";

/** Where the group of a deployment finds a plan, in the deployment's folder. */
export function planFile(folder: string, number: number): string {
  return join(folder, "plans", `${String(number).padStart(6, "0")}.json`);
}

/** Writes a plan for its group. @throws ServiceError `conflict` when there is one of that number: plans never change. */
export function writePlanFile(folder: string, plan: ReplicaPlan): void {
  const file = planFile(folder, plan.number);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  try {
    writeFileSync(file, `${JSON.stringify(plan, null, 2)}\n`, { mode: 0o600, flag: "wx" });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new ServiceError(
      "conflict",
      `plan ${plan.number} of deployment "${plan.deployment}" is there already`,
    );
  }
}
