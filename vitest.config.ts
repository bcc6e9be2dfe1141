import { join } from "node:path";
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: "test/build-program.ts",
    alias: [
      {
        find: /^\.{1,2}\/(.*\/)?own-program\.ts$/,
        replacement: join(import.meta.dirname, "test/own-program.ts"),
      },
    ],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: "forks",
    // Each worker loads the program once and not for every file: a fifth of the time. Files leave nothing behind that another sees.
    isolate: false,
    maxWorkers: 2,
  },
});
