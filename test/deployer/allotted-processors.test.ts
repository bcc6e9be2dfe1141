import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { allottedProcessors, threadsFor } from "../../deployer/replica/allotted-processors.ts";

const roots: string[] = [];
afterEach(() => {
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

function system(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(tmpdir(), "leeway-processors-"));
  roots.push(root);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const status = (list: string) => ({ "proc/self/status": `Name:\tnode\nCpus_allowed_list:\t${list}\n` });

it.each([
  { what: "affinity alone", files: status("0-3,6"), is: 5 },
  { what: "one processor", files: status("2"), is: 1 },
  {
    what: "a quota of version 2 in the own group",
    files: {
      ...status("0-7"),
      "proc/self/cgroup": "0::/pod/app\n",
      "sys/fs/cgroup/pod/app/cpu.max": "150000 100000\n",
    },
    is: 1.5,
  },
  {
    what: "a tighter quota above it",
    files: {
      ...status("0-7"),
      "proc/self/cgroup": "0::/pod/app\n",
      "sys/fs/cgroup/pod/cpu.max": "50000 100000\n",
      "sys/fs/cgroup/pod/app/cpu.max": "max 100000\n",
    },
    is: 0.5,
  },
  {
    what: "a quota of version 2 as seen in a container",
    files: { ...status("0-7"), "proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n" },
    is: 2,
  },
  {
    what: "a quota of version 1",
    files: {
      ...status("0-7"),
      "proc/self/cgroup": "4:memory:/x\n3:cpu,cpuacct:/x\n",
      "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us": "300000\n",
      "sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us": "100000\n",
    },
    is: 3,
  },
  {
    what: "no quota of version 1",
    files: {
      ...status("0-3"),
      "proc/self/cgroup": "3:cpu:/\n",
      "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
      "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
    },
    is: 4,
  },
])("$what: $is", ({ files, is }) => {
  expect(allottedProcessors(system(files as Record<string, string>))).toBe(is);
});

it.each([
  [0.5, 1],
  [1, 1],
  [1.5, 1],
  [2, 2],
])("%d processors are worth %d threads", (processors, threads) => {
  expect(threadsFor(processors)).toBe(threads);
});
