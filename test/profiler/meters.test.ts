import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { FileTree } from "../../profiler/file-tree.ts";
import { cgroupMounts } from "../../profiler/limiters/cgroup-mounts.ts";
import { writeLimits } from "../../profiler/limiters/cgroup-v2.ts";
import { chooseLimiter } from "../../profiler/limiters/choose-limiter.ts";
import { scopeProperties } from "../../profiler/limiters/systemd-run.ts";
import { allowedCpus } from "../../profiler/limiters/taskset.ts";
import { CgroupV1Meter } from "../../profiler/meters/cgroup-v1-meter.ts";
import { CgroupV2Meter } from "../../profiler/meters/cgroup-v2-meter.ts";
import { machineCpuSeconds } from "../../profiler/meters/machine-load.ts";
import { ProcMeter } from "../../profiler/meters/proc-meter.ts";
import { processTree } from "../../profiler/meters/processes.ts";

const MIB = 1024 * 1024;
const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

/** The kernel's files as a machine showed them. */
function tree(files: Readonly<Record<string, string>>): FileTree {
  const root = mkdtempSync(join(tmpdir(), "leeway-tree-"));
  roots.push(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return new FileTree(root);
}

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  readonly name?: string;
  /** Hundredths of a second: user, system, and both of the children it has waited for. */
  readonly ticks: readonly [number, number, number, number];
  readonly threads?: number;
  readonly anonKib?: number;
  readonly fileKib?: number;
  readonly peakKib?: number;
}

function processFiles(processes: readonly Process[]): Record<string, string> {
  return Object.fromEntries(
    processes.flatMap(
      ({
        pid,
        parent,
        session,
        name = "python3",
        ticks,
        threads = 1,
        anonKib = 0,
        fileKib = 0,
        peakKib = 0,
      }) => [
        [
          `proc/${pid}/stat`,
          `${pid} (${name}) S ${parent} ${session} ${session} 0 -1 4194560 2141 0 0 0 ${ticks.join(" ")} 20 0 ${threads} 0 8321 0 0\n`,
        ],
        [
          `proc/${pid}/status`,
          `Name:\t${name}\nVmHWM:\t${String(peakKib).padStart(8)} kB\nVmRSS:\t${anonKib + fileKib} kB\nRssAnon:\t${anonKib} kB\nRssFile:\t${fileKib} kB\nRssShmem:\t       0 kB\nThreads:\t${threads}\n`,
        ],
        [`proc/${pid}/fd/0`, ""],
        [`proc/${pid}/fd/1`, ""],
      ],
    ),
  );
}

const SERVICE: Process = {
  pid: 40,
  parent: 1,
  session: 40,
  ticks: [150, 50, 0, 0],
  threads: 3,
  anonKib: 61_440,
  fileKib: 9_000,
  peakKib: 80_000,
};

describe("a process tree in /proc", () => {
  it("adds up CPU time, memory, threads and descriptors of a service and its workers", () => {
    const worker = {
      ...SERVICE,
      pid: 41,
      parent: 40,
      ticks: [20, 5, 0, 0],
      threads: 1,
      anonKib: 1_024,
      fileKib: 0,
    } as const;
    const meter = new ProcMeter(tree(processFiles([SERVICE, worker])), 40);
    expect(meter.read()).toMatchObject({
      cpuSeconds: 2.25,
      heldBytes: 61 * MIB,
      fileBytes: 9_000 * 1024,
      processes: 2,
      threads: 4,
      fileDescriptors: 4,
    });
  });

  it("reads names that hold spaces and brackets", () => {
    const files = tree(processFiles([{ ...SERVICE, name: "my (odd) ) name 1 2" }]));
    expect(new ProcMeter(files, 40).read()).toMatchObject({ cpuSeconds: 2, threads: 3 });
  });

  it("counts a child that lost its parent and belongs to the session still, but no stranger", () => {
    const orphan = { ...SERVICE, pid: 77, parent: 1 };
    const stranger = { ...SERVICE, pid: 78, parent: 1, session: 5 };
    const grandchild = { ...SERVICE, pid: 79, parent: 77, session: 79 };
    const found = processTree(tree(processFiles([SERVICE, orphan, stranger, grandchild])), 40);
    expect(found.map(({ pid }) => pid).sort()).toEqual([40, 77, 79]);
  });

  it("keeps the CPU time of a child that ended, waited for or not", () => {
    const files = processFiles([SERVICE, { ...SERVICE, pid: 41, parent: 40, ticks: [100, 0, 0, 0] }]);
    const recorded = tree(files);
    const meter = new ProcMeter(recorded, 40);
    expect(meter.read().cpuSeconds).toBe(3);
    rmSync(join(recorded.root, "proc/41"), { recursive: true });
    expect(meter.read().cpuSeconds).toBe(3); // nobody waited for it
    writeFileSync(
      join(recorded.root, "proc/40/stat"),
      processFiles([{ ...SERVICE, ticks: [160, 50, 100, 0] }])["proc/40/stat"] ?? "",
    );
    expect(meter.read().cpuSeconds).toBeGreaterThanOrEqual(3.1);
  });

  it("knows the peak of a single process, without its pages of files", () => {
    expect(new ProcMeter(tree(processFiles([SERVICE])), 40).read().heldPeakBytes).toBe(71_000 * 1024);
  });

  it("shares pages of forked workers out when the kernel says how", () => {
    const files = {
      ...processFiles([SERVICE, { ...SERVICE, pid: 41, parent: 40 }]),
      "proc/40/smaps_rollup": "Rss:  1 kB\nPss_Anon:      31000 kB\nPss_Shmem:  0 kB\n",
      "proc/41/smaps_rollup": "Rss:  1 kB\nPss_Anon:      31000 kB\nPss_Shmem:  0 kB\n",
    };
    expect(new ProcMeter(tree(files), 40).read().heldBytes).toBe(62_000 * 1024);
  });

  it("is empty, not an error, when the service has ended", () => {
    expect(new ProcMeter(tree({ "proc/1/stat": "" }), 40).read()).toMatchObject({
      cpuSeconds: 0,
      processes: 0,
    });
  });
});

describe("a control group of version 2", () => {
  const group = "sys/fs/cgroup/leeway-1";
  const files = {
    ...processFiles([SERVICE]),
    [`${group}/cgroup.procs`]: "40\n",
    [`${group}/cpu.stat`]:
      "usage_usec 2500000\nuser_usec 2000000\nsystem_usec 500000\nnr_periods 40\nnr_throttled 10\nthrottled_usec 300000\n",
    [`${group}/memory.stat`]: `anon ${60 * MIB}\nfile ${20 * MIB}\nkernel ${3 * MIB}\nshmem ${2 * MIB}\nslab_reclaimable ${MIB}\n`,
    [`${group}/memory.peak`]: `${95 * MIB}\n`,
    [`${group}/memory.events`]: "low 0\nhigh 0\nmax 3\noom 1\noom_kill 1\n",
  };

  it("tells CPU time, throttling, what is held apart from pages of files, and kills", () => {
    expect(new CgroupV2Meter(tree(files), group).read()).toEqual({
      cpuSeconds: 2.5,
      heldBytes: 64 * MIB,
      heldPeakBytes: 71_000 * 1024,
      fileBytes: 18 * MIB,
      processes: 1,
      threads: 3,
      fileDescriptors: 2,
      oomKills: 1,
      throttling: { periods: 40, throttledPeriods: 10, throttledSeconds: 0.3 },
    });
  });

  it("adds up the kernel's parts before 5.18", () => {
    const older = {
      ...files,
      [`${group}/memory.stat`]: `anon ${60 * MIB}\nfile 0\nshmem 0\nkernel_stack ${MIB}\npagetables ${MIB}\nslab_unreclaimable ${2 * MIB}\n`,
    };
    expect(new CgroupV2Meter(tree(older), group).read().heldBytes).toBe(64 * MIB);
  });

  it("is limited through cpu.max and memory.max", () => {
    const files2 = tree({ [`${group}/cpu.max`]: "max 100000\n", [`${group}/memory.swap.max`]: "max\n" });
    writeLimits(files2, group, { cpu: 0.3, memoryBytes: 64 * MIB });
    expect(files2.read(`${group}/cpu.max`)).toBe("30000 100000");
    expect(files2.read(`${group}/memory.max`)).toBe(String(64 * MIB));
    expect(files2.read(`${group}/memory.swap.max`)).toBe("0");
    writeLimits(files2, group, {});
    expect(files2.read(`${group}/cpu.max`)).toBe("max 100000");
  });
});

describe("a control group of version 1", () => {
  const folders = {
    cpu: "sys/fs/cgroup/cpu,cpuacct/leeway-1",
    cpuacct: "sys/fs/cgroup/cpu,cpuacct/leeway-1",
    memory: "sys/fs/cgroup/memory/leeway-1",
  };

  it("tells the same from the files of several hierarchies", () => {
    const files = tree({
      ...processFiles([SERVICE]),
      [`${folders.cpu}/cpuacct.usage`]: "2500000000\n",
      [`${folders.cpu}/cpu.stat`]: "nr_periods 40\nnr_throttled 10\nthrottled_time 300000000\n",
      [`${folders.memory}/cgroup.procs`]: "40\n",
      [`${folders.memory}/memory.stat`]: `cache ${20 * MIB}\nrss ${60 * MIB}\nshmem ${2 * MIB}\nmapped_file 5\n`,
      [`${folders.memory}/memory.kmem.usage_in_bytes`]: `${2 * MIB}\n`,
      [`${folders.memory}/memory.max_usage_in_bytes`]: `${66 * MIB}\n`,
      [`${folders.memory}/memory.oom_control`]: "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
    });
    expect(new CgroupV1Meter(files, folders).read()).toEqual({
      cpuSeconds: 2.5,
      heldBytes: 64 * MIB,
      heldPeakBytes: 66 * MIB, // never more than was charged
      fileBytes: 18 * MIB,
      processes: 1,
      threads: 3,
      fileDescriptors: 2,
      oomKills: 1,
      throttling: { periods: 40, throttledPeriods: 10, throttledSeconds: 0.3 },
    });
  });
});

describe("where control groups are", () => {
  it("on a machine with the unified hierarchy", () => {
    const files = tree({
      "proc/self/cgroup": "0::/user.slice/user-1000.slice/session-2.scope\n",
      "proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n",
      "sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope/cgroup.procs": "1\n",
    });
    expect(cgroupMounts(files)).toEqual({
      v1: new Map(),
      v2: { mount: "sys/fs/cgroup", own: "sys/fs/cgroup/user.slice/user-1000.slice/session-2.scope" },
    });
  });

  it("in a container of version 1 whose own path is above what it sees", () => {
    const files = tree({
      "proc/self/cgroup": "4:memory:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/\n",
      "proc/self/mountinfo":
        "40 30 0:1 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n41 30 0:2 /docker/abc /sys/fs/cgroup/cpu,cpuacct ro - cgroup cgroup rw,cpu,cpuacct\n",
      "sys/fs/cgroup/memory/cgroup.procs": "1\n",
      "sys/fs/cgroup/cpu,cpuacct/cgroup.procs": "1\n",
    });
    expect([...cgroupMounts(files).v1]).toEqual([
      ["memory", "sys/fs/cgroup/memory"],
      ["cpu", "sys/fs/cgroup/cpu,cpuacct"],
      ["cpuacct", "sys/fs/cgroup/cpu,cpuacct"],
    ]);
  });

  it("the best way of limiting is chosen, and each better one is named with what it lacks", async () => {
    const { limiter, passedOver } = await chooseLimiter(
      tree({ "proc/self/cgroup": "" }),
      async () => undefined,
      "cgroup-v2",
    );
    expect(limiter.kind).toBe("none");
    expect(passedOver).toEqual([{ kind: "cgroup-v2", why: "not mounted" }]);
  });

  it("a unified hierarchy without delegated controllers is passed over", async () => {
    const files = tree({
      "proc/self/cgroup": "0::/a\n",
      "proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
      "sys/fs/cgroup/a/cgroup.controllers": "pids\n",
      "sys/fs/cgroup/cgroup.controllers": "pids memory\n",
    });
    const { passedOver } = await chooseLimiter(files, async () => undefined, "cgroup-v2");
    expect(passedOver[0]?.why).toContain("no controller for cpu and memory");
    expect(passedOver[0]?.why).toContain("/sys/fs/cgroup: no controller for cpu");
  });

  it("a unified hierarchy with controllers is taken, beside our own group", async () => {
    const files = tree({
      "proc/self/cgroup": "0::/user/me\n",
      "proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
      "sys/fs/cgroup/user/me/cgroup.controllers": "\n",
      "sys/fs/cgroup/user/cgroup.controllers": "cpu memory pids\n",
      "sys/fs/cgroup/user/cgroup.subtree_control": "cpu memory\n",
    });
    const { limiter } = await chooseLimiter(files, async () => undefined);
    expect(limiter.kind).toBe("cgroup-v2");
    const cage = await limiter.open("leeway-1-a");
    await cage.set({ cpu: 0.5 });
    expect(files.read("sys/fs/cgroup/user/leeway-1-a/cpu.max")).toBe("50000 100000");
    expect(cage.wrap(["serve", "a b"]).slice(-2)).toEqual(["serve", "a b"]);
  });
});

it.each([
  ["Cpus_allowed_list:\t0-3\n", [0, 1, 2, 3]],
  ["Name: x\nCpus_allowed_list:\t1,4-5\n", [1, 4, 5]],
])("processors allowed by %j", (status, cpus) => expect(allowedCpus(status)).toEqual(cpus));

it("a scope is limited by the properties that systemd knows", () => {
  expect(scopeProperties({ cpu: 0.35, memoryBytes: 1_000 })).toEqual([
    "CPUQuota=35%",
    "MemoryMax=1000",
    "MemorySwapMax=0",
  ]);
  expect(scopeProperties({})).toEqual(["CPUQuota=", "MemoryMax=infinity", "MemorySwapMax=0"]);
});

it("the machine's CPU time leaves out idling and waiting, and counts what its host takes", () => {
  expect(machineCpuSeconds(tree({ "proc/stat": "cpu  100 20 30 9000 50 4 6 40 0 0\ncpu0 1 1 1 1\n" }))).toBe(
    2,
  );
  expect(machineCpuSeconds(tree({ "proc/x": "" }))).toBeUndefined();
});
