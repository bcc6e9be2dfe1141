import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { printedFiles } from "./printed-files.ts";

// `npm run dashboards`: writes the files beside this one; a test fails while the committed ones differ.
for (const [path, text] of printedFiles()) {
  const file = join(import.meta.dirname, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
  console.log(`dashboards/${path}`);
}
