import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

/** A folder of one process at a time: its number, and that of whoever takes over what a process left. */
const FOLDER = /^(\d+)(?:-from-\d+)*$/;

/** Where this process puts records that cannot be sent now. */
export function ownSpool(spoolDir: string, pid: number = process.pid): string {
  const folder = join(spoolDir, String(pid));
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}

/**
 * Takes over what processes that have ended left on disk. Replicas do this at the same time: a folder is renamed, which
 * only one of them can do.
 *
 * @returns The folders, which are this process's now.
 */
export function takeLeftovers(spoolDir: string, pid: number = process.pid): string[] {
  const taken: string[] = [];
  for (const name of namesIn(spoolDir)) {
    const [, owner] = FOLDER.exec(name) ?? [];
    if (owner === undefined || Number(owner) === pid || isThere(Number(owner))) continue;
    const from = join(spoolDir, name);
    const to = join(spoolDir, `${pid}-from-${owner}`);
    if (namesIn(from).every((model) => namesIn(join(from, model)).length === 0)) {
      rmSync(from, { recursive: true, force: true });
      continue;
    }
    try {
      renameSync(from, to);
      taken.push(to);
    } catch {
      // another one was quicker
    }
  }
  return taken;
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // it is not there, or has just gone
  }
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}
