/** Time as the profiler needs it; passed in, so that whoever runs it decides. */
export interface Clock {
  now(): Date;
  /** Milliseconds that never go back. */
  monotonicMs(): number;
  /** @throws the signal's reason when it is aborted. */
  pause(ms: number, signal?: AbortSignal): Promise<void>;
}
