import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";

/**
 * How many processors this process may use: the least of its affinity and the quotas of its control groups (version 1 or
 * 2), as a fraction where a quota is one. Neither onnxruntime nor older versions of Node look at quotas.
 *
 * @param root - Where `/proc` and `/sys` are; another in tests.
 */
export function allottedProcessors(root = "/"): number {
  const limits = [affinity(root), quotaV2(root), quotaV1(root)].filter((limit) => limit !== undefined);
  return limits.length > 0 ? Math.min(...limits) : availableParallelism();
}

/** Threads that are worth having: at least one, and none for a part of a processor. */
export function threadsFor(processors: number): number {
  return Math.max(1, Math.floor(processors + 0.001));
}

function affinity(root: string): number | undefined {
  const list = /^Cpus_allowed_list:\s*(.+)$/m.exec(read(join(root, "proc/self/status")) ?? "")?.[1];
  if (list === undefined) return undefined;
  return list.split(",").reduce((count, range) => {
    const [from = 0, to = from] = range.split("-").map(Number);
    return count + (to - from + 1);
  }, 0);
}

/** The tightest quota between the own group and the root. */
function quotaV2(root: string): number | undefined {
  const path = /^0::(\/.*)$/m.exec(read(join(root, "proc/self/cgroup")) ?? "")?.[1];
  if (path === undefined) return undefined;
  return least(path, (group) => {
    const [quota, period] = (read(join(root, "sys/fs/cgroup", group, "cpu.max")) ?? "").trim().split(" ");
    return ratio(quota, period);
  });
}

function quotaV1(root: string): number | undefined {
  const path = /^\d+:(?:[\w=]+,)*cpu(?:,[\w=]+)*:(\/.*)$/m.exec(
    read(join(root, "proc/self/cgroup")) ?? "",
  )?.[1];
  if (path === undefined) return undefined;
  return least(path, (group) => {
    for (const mount of ["cpu", "cpu,cpuacct"]) {
      const quota = read(join(root, "sys/fs/cgroup", mount, group, "cpu.cfs_quota_us"))?.trim();
      const period = read(join(root, "sys/fs/cgroup", mount, group, "cpu.cfs_period_us"))?.trim();
      if (quota !== undefined) return ratio(quota, period);
    }
    return undefined;
  });
}

/** Within a container the group's path is that of the host, and its files are at the root. */
function least(path: string, quotaOf: (group: string) => number | undefined): number | undefined {
  const parts = path.split("/").filter((part) => part !== "");
  const groups = ["", ...parts.map((_, at) => parts.slice(0, at + 1).join("/"))];
  const quotas = groups.map(quotaOf).filter((quota) => quota !== undefined);
  return quotas.length > 0 ? Math.min(...quotas) : undefined;
}

function ratio(quota: string | undefined, period: string | undefined): number | undefined {
  const share = Number(quota) / Number(period);
  return Number.isFinite(share) && share > 0 ? share : undefined;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined; // not on this system
  }
}
