/** A service under test that answers. */
export interface Service {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Process at the root of its tree; undefined for one that was not started here. */
  readonly pid: number | undefined;
  /** From starting it until it was ready; undefined for one that was not started here. */
  readonly readyMs: number | undefined;
  /** How it ended, when it has ended by itself. */
  death(): string | undefined;
  /** Ends its whole process tree. */
  stop(): Promise<void>;
}
