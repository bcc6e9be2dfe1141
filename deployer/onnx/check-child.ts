// A process of its own: a hostile file may end it, and nothing else.
import { checkModel } from "./check-model.ts";

const [path = "", servedFile = ""] = process.argv.slice(2);
const inspection = await checkModel(path, servedFile);
process.stdout.write(`${JSON.stringify(inspection)}\n`);
