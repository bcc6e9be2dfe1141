import type { LatencyObjective, ProfilePhase, ProfileWindow } from "../schema/profile.ts";
import type { Clock } from "./clock.ts";
import type { FileTree } from "./file-tree.ts";
import type { LoadTarget, WindowOrder } from "./generator/messages.ts";
import type { Cage, Limiter, Limits } from "./limiters/limiter.ts";
import type { LoadGenerator } from "./load-generator.ts";
import { machineCpuSeconds, ownCpuSeconds } from "./meters/machine-load.ts";
import type { Meter, MeterKind, Reading } from "./meters/meter.ts";
import type { Service } from "./targets/service.ts";
import { type WindowEnd, windowResult } from "./window-result.ts";

const SAMPLE_MS = 150;
const SETTLE_MS = 4_000;

/** The service ended, or the kernel ended it, while it was measured. */
export class ServiceDied extends Error {
  override readonly name = "ServiceDied";
  readonly cause_of_death: "out-of-memory" | "ended";
  constructor(cause: "out-of-memory" | "ended", message: string) {
    super(message);
    this.cause_of_death = cause;
  }
}

export interface MemorySampleAt {
  readonly at_s: number;
  readonly held_bytes: number;
  readonly file_bytes: number;
  /** Requests that this process had been sent. */
  readonly requests: number;
  /** Counts the starts of the service. */
  readonly life: number;
}

/** Starts a service inside a cage. */
export type StartService = (wrap: Cage["wrap"]) => Promise<Service>;

export interface StageParts {
  readonly limiter: Limiter;
  readonly generator: LoadGenerator;
  readonly start: StartService;
  readonly load: Omit<LoadTarget, "origin">;
  readonly objective: LatencyObjective;
  readonly tree: FileTree;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/**
 * Where one service is under load: it runs in a cage, windows of load are sent to it, and everything that it uses
 * meanwhile is read.
 */
export class Stage {
  readonly windows: ProfileWindow[] = [];
  readonly samples: MemorySampleAt[] = [];
  readonly #parts: StageParts;
  readonly #beganMs: number;
  #cage: Cage | undefined;
  #service: Service | undefined;
  #meter: Meter | undefined;
  #limits: Limits = {};
  #life = 0;
  #sentInLife = 0;
  #oomKills = 0;
  #target: LoadTarget | undefined;

  constructor(parts: StageParts) {
    this.#parts = parts;
    this.#beganMs = parts.clock.monotonicMs();
  }

  get limits(): Limits {
    return this.#limits;
  }

  get meterKind(): MeterKind {
    return this.#meter?.kind ?? "none";
  }

  /** Requests that may be sent yet. */
  get requestsLeft(): number {
    return this.#parts.generator.left.requests;
  }

  /** Sends only these bodies from now on. */
  sendOnly(payloads: readonly Uint8Array[]): void {
    if (this.#target) this.#target = { ...this.#target, payloads };
  }

  get service(): Service | undefined {
    return this.#service;
  }

  /** Starts the service afresh under these limits. @throws ServiceDied when they were too tight to start. */
  async start(limits: Limits): Promise<Service> {
    await this.stop();
    const { limiter, load, clock } = this.#parts;
    this.#life += 1;
    this.#sentInLife = 0;
    this.#oomKills = 0;
    this.#limits = limits;
    const cage = await limiter.open(`leeway-${process.pid}-${Math.round(clock.monotonicMs())}-${this.#life}`);
    this.#cage = cage;
    await cage.set(limits);
    try {
      this.#service = await this.#parts.start((command) => cage.wrap(command));
    } catch (error) {
      const counts = limiter.kind === "cgroup-v1" || limiter.kind === "cgroup-v2";
      if (counts && (cage.meter(0).read().oomKills ?? 0) > 0)
        throw new ServiceDied("out-of-memory", "it was killed for want of memory as it started");
      if (this.#looksKilledForMemory(error instanceof Error ? error.message : ""))
        throw new ServiceDied("out-of-memory", "it was killed as it started, under a memory limit");
      throw error;
    }
    const { pid } = this.#service;
    this.#meter = pid === undefined ? undefined : cage.meter(pid);
    this.#target = { ...load, origin: this.#service.origin };
    this.#sample();
    return this.#service;
  }

  /** Changes the limits of the service as it runs. */
  async limit(limits: Limits): Promise<void> {
    if (limits.cpu === this.#limits.cpu && limits.memoryBytes === this.#limits.memoryBytes) return;
    await this.#cage?.set(limits);
    this.#limits = limits;
  }

  reading(): Reading | undefined {
    return this.#meter?.read();
  }

  /** One window of load that counts. @throws ServiceDied when the service does not outlive it. */
  async run(phase: ProfilePhase, order: WindowOrder): Promise<ProfileWindow> {
    const window = await this.load(phase, order);
    this.windows.push(window);
    return window;
  }

  /** One window of load. @throws ServiceDied when the service does not outlive it. */
  async load(phase: ProfilePhase, order: WindowOrder): Promise<ProfileWindow> {
    const { generator, signal, objective } = this.#parts;
    const firstSample = this.samples.length;
    if (!this.#target) throw new TypeError("load before a start");
    generator.aim(this.#target);
    const begin = this.#end();
    const running = generator.run(order, signal);
    await this.#sampleUntil(running);
    const result = await running;
    const end = this.#end();
    this.#sample();
    const taken = this.samples.splice(firstSample);
    const samples = taken.map((sample, i) => ({
      ...sample,
      requests: this.#sentInLife + Math.round((result.due * (i + 1)) / taken.length),
    }));
    this.samples.push(...samples);
    this.#sentInLife += result.due;
    const limits = inForce(this.#limits, this.#parts.limiter);
    const window = windowResult({ phase, order, load: result, limits, objective, begin, end, samples });
    this.#checkAlive();
    if (result.end === "hopeless" || result.timedOut > 0) await this.#settle();
    return window;
  }

  /** Cores that the service uses when nobody asks it anything. */
  async idle(ms: number): Promise<number | undefined> {
    const { clock, signal } = this.#parts;
    const begin = this.#end();
    await clock.pause(ms, signal);
    const end = this.#end();
    this.#sample();
    if (!begin.reading || !end.reading) return undefined;
    return (end.reading.cpuSeconds - begin.reading.cpuSeconds) / ((end.atMs - begin.atMs) / 1_000);
  }

  /** Ends the service and takes its cage away. */
  async stop(): Promise<void> {
    const service = this.#service;
    const cage = this.#cage;
    this.#service = undefined;
    this.#cage = undefined;
    this.#meter = undefined;
    try {
      await service?.stop();
    } finally {
      await cage?.destroy();
    }
  }

  #checkAlive(): void {
    const kills = this.reading()?.oomKills ?? 0;
    if (kills > this.#oomKills) {
      this.#oomKills = kills;
      throw new ServiceDied("out-of-memory", "it was killed for want of memory");
    }
    const death = this.#service?.death();
    if (this.#looksKilledForMemory(death ?? ""))
      throw new ServiceDied("out-of-memory", "it was killed under a memory limit");
    if (death !== undefined) throw new ServiceDied("ended", `the service ${death}`);
  }

  /** A scope of systemd's is gone with what was in it, and nobody has counted why: a kill that was not ours is the kernel's. */
  #looksKilledForMemory(message: string): boolean {
    const { limiter } = this.#parts;
    const uncounted = limiter.kind === "systemd-run" && this.#limits.memoryBytes !== undefined;
    return uncounted && /SIGKILL|code 137/.test(message);
  }

  /** Lets a service that was asked too much get over it: until it is idle, or four seconds have passed. */
  async #settle(): Promise<void> {
    const { clock, signal } = this.#parts;
    const until = clock.monotonicMs() + SETTLE_MS;
    while (clock.monotonicMs() < until) {
      const cores = await this.idle(200);
      if (cores === undefined || cores < 0.05) return;
    }
    signal.throwIfAborted();
  }

  #end(): WindowEnd {
    const { tree, clock, generator } = this.#parts;
    return {
      atMs: clock.monotonicMs() - this.#beganMs,
      reading: this.reading(),
      machineCpuSeconds: machineCpuSeconds(tree),
      ownCpuSeconds: ownCpuSeconds(tree, [process.pid, generator.pid]),
    };
  }

  async #sampleUntil(end: Promise<unknown>): Promise<void> {
    let state: "running" | "over" = "running";
    const over = end.then(
      () => {
        state = "over";
      },
      () => {
        state = "over"; // whoever waits for the window hears of it
      },
    );
    while (state === "running") {
      this.#sample();
      await Promise.race([this.#parts.clock.pause(SAMPLE_MS), over]);
    }
  }

  #sample(): void {
    const reading = this.reading();
    if (!reading) return;
    this.samples.push({
      at_s: (this.#parts.clock.monotonicMs() - this.#beganMs) / 1_000,
      held_bytes: reading.heldBytes,
      file_bytes: reading.fileBytes,
      requests: this.#sentInLife,
      life: this.#life,
    });
  }
}

/** Of the limits asked for, those that the limiter can keep a service to. */
function inForce({ cpu, memoryBytes }: Limits, limiter: Pick<Limiter, "cpu" | "memory">): Limits {
  const whole = cpu === undefined ? undefined : Math.max(1, Math.ceil(cpu));
  return {
    cpu: limiter.cpu === "none" ? undefined : limiter.cpu === "cores" ? whole : cpu,
    memoryBytes: limiter.memory === "none" ? undefined : memoryBytes,
  };
}
