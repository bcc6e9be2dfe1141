import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { FileTree } from "../file-tree.ts";
import { CgroupV2Meter } from "../meters/cgroup-v2-meter.ts";
import { ProcMeter } from "../meters/proc-meter.ts";
import { cgroupMounts } from "./cgroup-mounts.ts";
import type { Cage, Limiter, Limits, Unavailable } from "./limiter.ts";
import { messageOf } from "./message-of.ts";

const run = promisify(execFile);
const TRY_MS = 3_000;

/** Limits by a scope of the user's own systemd: needs no root, only a user session with delegated controllers. */
export async function systemdRun(tree: FileTree): Promise<Limiter | Unavailable> {
  const kind = "systemd-run";
  try {
    await run("systemd-run", ["--user", "--scope", "--quiet", "--", "true"], { timeout: TRY_MS });
  } catch (error) {
    return { kind, why: messageOf(error).trim().split("\n").at(-1) || "it fails" };
  }
  return {
    kind,
    cpu: "quota",
    memory: "limit",
    open: async (name): Promise<Cage> => {
      let limits: Limits = {};
      let state: "waiting" | "running" = "waiting";
      const unit = `${name}.scope`;
      return {
        kind,
        wrap: (command) => {
          state = "running";
          const properties = scopeProperties(limits).flatMap((property) => ["-p", property]);
          return [
            "systemd-run",
            "--user",
            "--scope",
            "--quiet",
            "--collect",
            `--unit=${unit}`,
            ...properties,
            "--",
            ...command,
          ];
        },
        set: async (next) => {
          limits = next;
          if (state === "running") {
            await run("systemctl", ["--user", "set-property", "--runtime", unit, ...scopeProperties(next)]);
          }
        },
        meter: (pid) => meterOf(tree, pid),
        destroy: async () => {
          if (state === "running")
            await run("systemctl", ["--user", "kill", "--signal=KILL", unit]).catch(() => undefined);
        },
      };
    },
  };
}

/** A scope's limits as systemd.resource-control(5) names them. */
export function scopeProperties({ cpu, memoryBytes }: Limits): string[] {
  return [
    `CPUQuota=${cpu === undefined ? "" : `${Math.max(1, Math.round(cpu * 100))}%`}`,
    `MemoryMax=${memoryBytes ?? "infinity"}`,
    "MemorySwapMax=0",
  ];
}

function meterOf(tree: FileTree, pid: number) {
  const own = /^0::(.*)$/m.exec(tree.read(`proc/${pid}/cgroup`) ?? "")?.[1];
  const mount = cgroupMounts(tree).v2?.mount;
  const group = own === undefined || mount === undefined ? undefined : `${mount}${own}`;
  return group !== undefined && tree.read(`${group}/cpu.stat`) !== undefined
    ? new CgroupV2Meter(tree, group)
    : new ProcMeter(tree, pid);
}
