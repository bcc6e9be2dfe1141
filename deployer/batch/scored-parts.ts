import { existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { open, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { ServiceError } from "../../schema/errors.ts";
import type { Frame } from "../../store/frame.ts";
import { writeParquet } from "../../store/parquet-writer.ts";

/** What a run is over: another one does not go on with its parts. */
export type ScoringPlan = Readonly<Record<string, string | number | readonly string[]>>;

/**
 * The parts of a run that are scored, each a file in a folder beside the output. A part is there whole or not at all, so
 * that a run that was ended at any moment goes on with the first that is missing.
 */
export class ScoredParts {
  readonly #folder: string;
  readonly count: number;

  private constructor(folder: string, count: number) {
    this.#folder = folder;
    this.count = count;
  }

  /** @throws ServiceError `conflict` when the folder holds parts of another run. */
  static async open(folder: string, plan: ScoringPlan, count: number): Promise<ScoredParts> {
    mkdirSync(folder, { recursive: true });
    const file = join(folder, "plan.json");
    const text = `${JSON.stringify(plan, null, 2)}\n`;
    if (existsSync(file) && readFileSync(file, "utf8") !== text)
      throw new ServiceError(
        "conflict",
        `${folder} holds an unfinished run over another input, model or choice of columns: remove it to begin anew`,
      );
    await writeFile(`${file}.partial`, text);
    await rename(`${file}.partial`, file);
    return new ScoredParts(folder, count);
  }

  has(part: number): boolean {
    return existsSync(this.pathOf(part));
  }

  remove(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }

  pathOf(part: number): string {
    return join(this.#folder, `part-${String(part).padStart(6, "0")}.parquet`);
  }
}

/** Writes what came of a part, whole or not at all, whatever happens to the machine. */
export async function writePart(path: string, frames: readonly Frame[]): Promise<void> {
  await writeParquet(`${path}.partial`, frames, "each");
  const file = await open(`${path}.partial`, "r+");
  await file.datasync();
  await file.close();
  await rename(`${path}.partial`, path);
}
