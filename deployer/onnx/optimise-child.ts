// A process of its own, as the one that checks files: what a model does here ends nothing else.
import { readFileSync } from "node:fs";
import type { ModelSample } from "../../schema/model-version.ts";
import { optimiseModel } from "./optimise-model.ts";

const [path = "", optimisedFile = "", sampleFile = ""] = process.argv.slice(2);
const sample = JSON.parse(readFileSync(sampleFile, "utf8")) as ModelSample | null; // written by who started this
process.stdout.write(`${JSON.stringify(optimiseModel(path, optimisedFile, sample ?? undefined))}\n`);
