// Scores a file with what was built, in a process of its own without a loader of TypeScript (its threads would have it
// too), and prints how many seconds that took.
import { readFileSync } from "node:fs";
import { scoreFile } from "../dist/deployer/batch/score-file.js";

const job = JSON.parse(readFileSync(0, "utf8"));
const started = performance.now();
const { rows } = await scoreFile(job);
console.log(JSON.stringify({ rows, seconds: (performance.now() - started) / 1000 }));
