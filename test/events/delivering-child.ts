import { openPostOffice } from "./post-office.ts";
import { testClock } from "./test-clock.ts";

// A program of its own: puts one message in and delivers it, to be killed while it does.
const [, , path = "", address = ""] = process.argv;
const office = await openPostOffice({
  clock: testClock(),
  addresses: { a: address },
  path,
  timeoutMs: 60_000,
});
console.log(await office.put("a", "hello"));
await office.outbox.deliverDue();
await office.close();
