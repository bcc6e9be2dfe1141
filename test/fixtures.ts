import { existsSync } from "node:fs";
import { resolve } from "node:path";

/** Folder with real data, models and independently computed answers; tests that need it skip without it. */
export const FIXTURES = process.env.LEEWAY_FIXTURES ? resolve(process.env.LEEWAY_FIXTURES) : undefined;
export const haveFixtures = FIXTURES !== undefined && existsSync(FIXTURES);
export const WITHOUT_FIXTURES = "needs the reference data: set LEEWAY_FIXTURES to its folder";
