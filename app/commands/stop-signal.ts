/** Waits for the first signal; the second ends the process at once. */
export function stopSignal(onFirst: (signal: string) => void): Promise<void> {
  return new Promise((resolve) => {
    let asked = 0;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      process.on(signal, () => {
        asked += 1;
        if (asked > 1) process.exit(signal === "SIGINT" ? 130 : 143);
        onFirst(signal);
        resolve();
      });
    }
  });
}
