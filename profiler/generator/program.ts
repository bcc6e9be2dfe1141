/**
 * The load generator: a process of its own, so that the profiler's work never makes a request late. It does what the
 * process that started it says, and ends with it.
 */
import { runClosedWindow } from "./closed-window.ts";
import type { FromGenerator, LoadTarget, ToGenerator, WindowOrder } from "./messages.ts";
import { runOpenWindow } from "./open-window.ts";

const stopping = new AbortController();
let target: LoadTarget | undefined;

function tell(message: FromGenerator): void {
  if (process.connected) process.send?.(message);
}

async function run(id: number, order: WindowOrder): Promise<void> {
  try {
    if (!target) throw new TypeError("a window before a target");
    const result =
      order.kind === "open"
        ? await runOpenWindow(target, order, stopping.signal)
        : await runClosedWindow(target, order, stopping.signal);
    tell({ type: "result", id, result });
  } catch (error) {
    tell({ type: "failed", id, message: error instanceof Error ? error.message : String(error) });
  }
}

process.on("message", (message: ToGenerator) => {
  if (message.type === "target") target = message.target;
  else if (message.type === "stop") stopping.abort();
  else void run(message.id, message.order);
});
process.on("disconnect", () => process.exit(0));
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => undefined); // told to stop by its parent
tell({ type: "ready" });
