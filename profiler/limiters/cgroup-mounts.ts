import type { FileTree } from "../file-tree.ts";

/** Where this process's control groups are, below the tree's root. */
export interface CgroupMounts {
  /** Controller -> folder of our own group (version 1). */
  readonly v1: ReadonlyMap<string, string>;
  /** Mount and own folder of the unified hierarchy. */
  readonly v2: { readonly mount: string; readonly own: string } | undefined;
}

/** Reads `/proc/self/mountinfo` and `/proc/self/cgroup`. */
export function cgroupMounts(tree: FileTree): CgroupMounts {
  const own = new Map<string, string>();
  for (const line of (tree.read("proc/self/cgroup") ?? "").split("\n")) {
    const [, controllers = "", path = "/"] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    for (const name of controllers.split(",")) if (line !== "") own.set(name, path);
  }
  const v1 = new Map<string, string>();
  let v2: CgroupMounts["v2"];
  for (const line of (tree.read("proc/self/mountinfo") ?? "").split("\n")) {
    const [before = "", after = ""] = line.split(" - ");
    const [, , , root = "/", mount = ""] = before.split(" ");
    const [type, , options = ""] = after.split(" ");
    if (type === "cgroup2") {
      v2 = { mount: relative(mount), own: inMount(tree, { mount, root, path: own.get("") ?? "/" }) };
    } else if (type === "cgroup") {
      for (const name of options.split(",")) {
        const path = own.get(name);
        if (path !== undefined) v1.set(name, inMount(tree, { mount, root, path }));
      }
    }
  }
  return { v1, v2 };
}

/** Folder of the group at `path`, where the mount may show only what is below `root`. */
function inMount(
  tree: FileTree,
  { mount, root, path }: { readonly mount: string; readonly root: string; readonly path: string },
): string {
  const below = root !== "/" && path.startsWith(root) ? path.slice(root.length) : path;
  const folder = relative(`${mount}/${below}`);
  return tree.list(folder).length > 0 ? folder : relative(mount); // a container may not see its own path
}

function relative(path: string): string {
  return path.replace(/\/+/g, "/").replace(/^\/|\/$/g, "");
}
