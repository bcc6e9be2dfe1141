import { mkdirSync, readdirSync, readFileSync, readlinkSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/**
 * The kernel's files (`/proc`, `/sys/fs/cgroup`) below a root, so that the same code reads a recorded tree in a test.
 * Files there come and go: what cannot be read is undefined, not an error.
 */
export class FileTree {
  readonly root: string;
  constructor(root = "/") {
    this.root = root;
  }

  read(path: string): string | undefined {
    try {
      return readFileSync(join(this.root, path), "utf8");
    } catch {
      return undefined;
    }
  }

  /** Number that a file holds; undefined when it holds a word such as `max`. */
  number(path: string): number | undefined {
    const text = this.read(path)?.trim();
    return text !== undefined && /^-?\d+$/.test(text) ? Number(text) : undefined;
  }

  /** `key value` per line. */
  table(path: string): ReadonlyMap<string, number> {
    const lines = (this.read(path) ?? "").split("\n").map((line) => line.split(/\s+/));
    return new Map(lines.flatMap(([key, value]) => (key && value ? [[key, Number(value)] as const] : [])));
  }

  list(path: string): string[] {
    try {
      return readdirSync(join(this.root, path));
    } catch {
      return [];
    }
  }

  link(path: string): string | undefined {
    try {
      return readlinkSync(join(this.root, path));
    } catch {
      return undefined;
    }
  }

  /** @throws the system's error when it may not be written. */
  write(path: string, text: string): void {
    writeFileSync(join(this.root, path), text);
  }

  makeFolder(path: string): void {
    mkdirSync(join(this.root, path));
  }

  /** @throws the system's error when it is in use. */
  removeFolder(path: string): void {
    rmdirSync(join(this.root, path));
  }
}
