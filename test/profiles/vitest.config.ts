import { join } from "node:path";
import { defineConfig } from "vitest/config";
import base from "../../vitest.config.ts";

/** Profiles made to the end, one after the other, since they measure the machine: `npm run test:profiles`. */
export default defineConfig({
  ...base,
  root: join(import.meta.dirname, "../.."),
  test: {
    ...base.test,
    include: ["test/profiles/*.profile.ts"],
    testTimeout: 150_000,
    maxWorkers: 1,
  },
});
