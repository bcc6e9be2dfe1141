import { cp, mkdir, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { packageRoot } from "../package-root.ts";
import { newCommand, newGroup, print } from "./command.ts";

const FOLDERS = ["grafana", "prometheus"];

export function dashboardsCommand(): Command {
  const exportFiles = newCommand("export", {
    does: "write the Grafana dashboard, its provisioning, and the Prometheus rules to a folder",
    example: "leeway dashboards export ./monitoring",
  })
    .argument("<dir>", "folder; files of the same names in it are replaced")
    .action(async (dir: string, options: { readonly json?: boolean }) => {
      await mkdir(dir, { recursive: true });
      const files: string[] = [];
      for (const folder of FOLDERS) {
        const from = join(packageRoot, "dashboards", folder);
        await cp(from, join(dir, folder), { recursive: true });
        const entries = await readdir(from, { recursive: true, withFileTypes: true });
        for (const entry of entries) {
          if (entry.isFile()) files.push(join(dir, folder, entry.parentPath.slice(from.length), entry.name));
        }
      }
      files.sort();
      print({ files }, options, () => files.join("\n"));
    });
  return newGroup("dashboards", "Grafana and Prometheus files", [exportFiles]);
}
