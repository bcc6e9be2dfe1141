import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FileTree } from "../../profiler/file-tree.ts";
import { chooseLimiter } from "../../profiler/limiters/choose-limiter.ts";

const MIB = 1024 * 1024;
const PATH = process.env.PATH;
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "leeway-systemd-"));
});
afterEach(() => {
  process.env.PATH = PATH;
  rmSync(folder, { recursive: true, force: true });
});

/** Programs that stand in for systemd's: they write down how they were called, and run what is behind `--`. */
function recordCalls(systemdRun: "works" | "has no bus"): () => readonly string[] {
  const log = join(folder, "calls.log");
  const record = `#!/bin/sh\necho "$(basename "$0") $*" >> ${log}\n`;
  const run =
    systemdRun === "works"
      ? 'while [ "$1" != -- ]; do shift; done; shift; exec "$@"\n'
      : 'echo "Failed to connect to bus: No medium found" >&2; exit 1\n';
  for (const [name, text] of [
    ["systemd-run", record + run],
    ["systemctl", record],
  ] as const) {
    writeFileSync(join(folder, name), text);
    chmodSync(join(folder, name), 0o755);
  }
  writeFileSync(log, "");
  process.env.PATH = `${folder}:${PATH}`;
  return () => readFileSync(log, "utf8").trim().split("\n").filter(Boolean);
}

/** A session of a user whose systemd has delegated controllers, as its kernel shows it. */
function session(pid: number): FileTree {
  const scope = "sys/fs/cgroup/user.slice/user-1000.slice/user@1000.service/app.slice/leeway-7-1.scope";
  const files = {
    "proc/self/cgroup": "0::/user.slice/user-1000.slice/session-2.scope\n",
    "proc/self/mountinfo": "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n",
    [`proc/${pid}/cgroup`]: "0::/user.slice/user-1000.slice/user@1000.service/app.slice/leeway-7-1.scope\n",
    [`${scope}/cgroup.procs`]: `${pid}\n`,
    [`${scope}/cpu.stat`]: "usage_usec 1500000\nnr_periods 10\nnr_throttled 5\nthrottled_usec 200000\n",
    [`${scope}/memory.stat`]: `anon ${60 * MIB}\nfile 0\nkernel ${MIB}\nshmem 0\n`,
    [`${scope}/memory.events`]: "oom_kill 2\n",
  };
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, "tree", path)), { recursive: true });
    writeFileSync(join(folder, "tree", path), text);
  }
  return new FileTree(join(folder, "tree"));
}

describe("limits by a scope of the user's systemd", () => {
  it("start the command inside, change as it runs, are read from its group, and end what is inside", async () => {
    const calls = recordCalls("works");
    const { limiter } = await chooseLimiter(session(77), async () => undefined, "systemd-run");
    expect(limiter).toMatchObject({ kind: "systemd-run", cpu: "quota", memory: "limit" });
    const cage = await limiter.open("leeway-7-1");
    await cage.set({ cpu: 0.35, memoryBytes: 200 * MIB });
    const [program = "", ...args] = cage.wrap(["/bin/sh", "-c", "exit 7"]);
    const [code] = (await once(spawn(program, args), "exit")) as [number];
    expect(code).toBe(7);
    await cage.set({ cpu: 0.1, memoryBytes: 200 * MIB });
    expect(cage.meter(77).read()).toMatchObject({ cpuSeconds: 1.5, heldBytes: 61 * MIB, oomKills: 2 });
    await cage.destroy();
    expect(calls()).toEqual([
      "systemd-run --user --scope --quiet -- true",
      `systemd-run --user --scope --quiet --collect --unit=leeway-7-1.scope -p CPUQuota=35% -p MemoryMax=${200 * MIB} -p MemorySwapMax=0 -- /bin/sh -c exit 7`,
      `systemctl --user set-property --runtime leeway-7-1.scope CPUQuota=10% MemoryMax=${200 * MIB} MemorySwapMax=0`,
      "systemctl --user kill --signal=KILL leeway-7-1.scope",
    ]);
  });

  it("ask systemd for nothing when nothing was started", async () => {
    const calls = recordCalls("works");
    const { limiter } = await chooseLimiter(session(77), async () => undefined, "systemd-run");
    const cage = await limiter.open("leeway-7-1");
    await cage.set({ cpu: 0.35 });
    await cage.destroy();
    expect(calls()).toEqual(["systemd-run --user --scope --quiet -- true"]);
  });

  it("are passed over without a user session, in systemd's own words", async () => {
    recordCalls("has no bus");
    const { passedOver } = await chooseLimiter(session(77), async () => undefined, "systemd-run");
    expect(passedOver).toEqual([
      { kind: "systemd-run", why: expect.stringContaining("Failed to connect to bus") },
    ]);
  });
});
