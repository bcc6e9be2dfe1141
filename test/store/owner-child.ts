import { Database } from "../../store/database.ts";

// A program of its own: opens the database named and keeps it until it is killed.
await Database.open(process.argv[2] ?? "");
console.log("open");
setInterval(() => undefined, 60_000);
