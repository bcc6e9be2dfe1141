// A process of its own: a hostile file may end it, and nothing else.
import { readFileSync } from "node:fs";
import { checkModel } from "./check-model.ts";

const [path = "", servedFile = "", sampleFile] = process.argv.slice(2);
const sample = sampleFile === undefined ? undefined : JSON.parse(readFileSync(sampleFile, "utf8")); // of our own
const inspection = await checkModel(path, servedFile, sample);
process.stdout.write(`${JSON.stringify(inspection)}\n`);
