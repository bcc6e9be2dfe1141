import { existsSync } from "node:fs";
import { cp, mkdir, readFile } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { ServiceError } from "../../schema/errors.ts";

/** From where the program of a replica is reached: everything it imports goes along. */
const ENTRY = "deployer/replica/packaged.js";
const IMPORTED = /(?:\bfrom\s+|\bimport\s+|\bimport\(\s*|new URL\(\s*)["']([^"'\n]+)["']/g;
/** What only the sources need. */
const LEFT_OUT = /^tsx(?:\/|$)/;

export interface CollectedProgram {
  /** Packages and the versions that are installed here. */
  readonly packages: Readonly<Record<string, string>>;
  /** Path of the entry, relative to the folder. */
  readonly entry: string;
}

/**
 * Copies the built program of a replica, with exactly the files it needs, into `folder/program`.
 *
 * @param root - Of this package: it holds `dist` and `node_modules`.
 * @throws ServiceError `not-found` when it was not built.
 */
export async function collectProgram(root: string, folder: string): Promise<CollectedProgram> {
  const dist = join(root, "dist");
  if (!existsSync(join(dist, ENTRY)))
    throw new ServiceError("not-found", `${join(dist, ENTRY)} is not there: npm run build makes it`);
  const files = new Set<string>();
  const names = new Set<string>();
  const follow = async (file: string): Promise<void> => {
    if (files.has(file)) return;
    files.add(file);
    const text = await readFile(file, "utf8");
    for (const [, specifier = ""] of text.matchAll(IMPORTED)) {
      if (specifier.startsWith(".")) {
        const target = resolve(dirname(file), specifier);
        if (target.endsWith(".js") && existsSync(target)) await follow(target);
      } else if (!specifier.startsWith("node:") && !LEFT_OUT.test(specifier)) names.add(packageOf(specifier));
    }
  };
  await follow(join(dist, ENTRY));
  for (const file of files) {
    const target = join(folder, "program", relative(dist, file));
    await mkdir(dirname(target), { recursive: true });
    await cp(file, target);
  }
  const packages: Record<string, string> = {};
  for (const name of [...names].sort()) packages[name] = (await manifestOf(root, name)).version;
  return { packages, entry: join("program", ENTRY) };
}

/**
 * Copies packages with what they depend on, for the platform this runs on.
 *
 * @param unneeded - Dependencies that only installing needs.
 */
export async function copyPackages(
  root: string,
  packages: readonly string[],
  { folder, unneeded }: { readonly folder: string; readonly unneeded: ReadonlySet<string> },
): Promise<void> {
  const copied = new Set<string>();
  const copy = async (name: string): Promise<void> => {
    if (copied.has(name) || unneeded.has(name)) return;
    copied.add(name);
    const from = join(root, "node_modules", name);
    await cp(from, join(folder, "node_modules", name), {
      recursive: true,
      filter: (source) => isWanted(relative(from, source)),
    });
    for (const dependency of Object.keys((await manifestOf(root, name)).dependencies ?? {}))
      await copy(dependency);
  };
  for (const name of packages) await copy(name);
}

/** Runtimes of other platforms, declarations, maps and sources are left out. */
function isWanted(path: string): boolean {
  const [, system, machine] = /^bin[/\\]napi-v\d+[/\\]([^/\\]+)(?:[/\\]([^/\\]+))?/.exec(path) ?? [];
  if (system !== undefined && system !== process.platform) return false;
  if (machine !== undefined && machine !== process.arch) return false;
  return !/\.(?:map|md|ts|mts|cts)$|^(?:src|lib[/\\]src|script|test)(?:[/\\]|$)/.test(path);
}

function packageOf(specifier: string): string {
  return specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/");
}

async function manifestOf(
  root: string,
  name: string,
): Promise<{ readonly version: string; readonly dependencies?: Readonly<Record<string, string>> }> {
  return JSON.parse(await readFile(join(root, "node_modules", name, "package.json"), "utf8"));
}
