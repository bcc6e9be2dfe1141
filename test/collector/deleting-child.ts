import { startOn } from "./start-on.ts";

// A program of its own: deletes the model's records from before a time, a line for each piece, until it is killed.
const [dataDir = "", time = "", rows = ""] = process.argv.slice(2);
const { collector } = await startOn(dataDir);
console.log("open");
for await (const { records } of collector.deleteBefore("m", new Date(time), Number(rows)))
  console.log(records.length);
console.log("done");
setInterval(() => undefined, 60_000);
