export type Grade = "A" | "B" | "C";

/** What speaks against a recommendation, worst last. */
export interface Doubt {
  readonly worst: Exclude<Grade, "A">;
  readonly reason: string;
}

/** The facts that decide how much a recommendation is worth. */
export interface GradeFacts {
  readonly mode: "quick" | "full";
  readonly targetKind: "command" | "url" | "model";
  readonly limiter: "cgroup-v2" | "cgroup-v1" | "systemd-run" | "taskset" | "none";
  readonly verified: "holds" | "fails" | "disturbed" | "not-run";
  readonly headroom: "holds" | "fails" | "disturbed" | "not-run";
  /** What came of one step less. */
  readonly below: "meets" | "misses" | "not-run" | "no-smaller";
  readonly replicas: number;
  /** Verifying window held enough requests to speak of the percentile. */
  readonly enoughRequests: boolean;
  /** The objective lies inside the interval of what was measured. */
  readonly close: boolean;
  readonly disturbedWindows: number;
  /** CPU time per second of strangers, the median over the windows. */
  readonly otherCores: number | undefined;
  readonly warmUp: "steady" | "still-changing";
  readonly leak: "leak-suspected" | "none-seen" | "too-short";
  readonly memoryKills: number;
  readonly rSquared: number | undefined;
  readonly budget: "kept" | "used-up";
  readonly start: "tried" | "calculated" | "not-limited";
  /** CPU that the load alone asks for, when the start asks for more. */
  readonly startRaisedFrom: number | undefined;
}

/**
 * How sure a recommendation is. A: verified under the limits themselves on a quiet machine, and one step less failed.
 * B: something was relaxed. C: a first guess. Every doubt is named.
 */
export function decideGrade(facts: GradeFacts): {
  readonly grade: Grade;
  readonly reasons: readonly string[];
} {
  const doubts = [...doubtsOf(facts)];
  const grade = doubts.some(({ worst }) => worst === "C") ? "C" : doubts.length > 0 ? "B" : "A";
  const reasons = doubts.map(({ reason }) => reason);
  return {
    grade,
    reasons:
      reasons.length > 0 ? reasons : ["verified under its limits; one step less does not meet the objective"],
  };
}

function* doubtsOf(facts: GradeFacts): Generator<Doubt> {
  if (facts.mode === "quick") {
    yield {
      worst: "C",
      reason: "quick mode: windows are short, and no long run was made; leave out --quick to be surer",
    };
  }
  if (facts.targetKind === "url") {
    yield {
      worst: "C",
      reason: "the service runs elsewhere: neither its CPU nor its memory could be measured or limited",
    };
  } else if (facts.limiter === "taskset") {
    yield {
      worst: "B",
      reason: "only whole cores could be limited here: the recommended CPU is calculated, not verified",
    };
  } else if (facts.limiter === "none") {
    yield {
      worst: "B",
      reason: "nothing could be limited here: the recommendation is calculated, not verified",
    };
  }
  if (facts.verified === "fails") {
    yield { worst: "C", reason: "the objective was not met in the verifying run" };
  } else if (facts.verified === "disturbed") {
    yield {
      worst: "C",
      reason:
        "the machine was too busy with other things to verify anything: run the profile again when it is quiet",
    };
  } else if (facts.verified === "not-run") {
    yield { worst: "C", reason: "no verifying run was made" };
  }
  if (facts.verified === "holds" && facts.headroom === "fails") {
    yield {
      worst: "B",
      reason: "at 1.2 times the target rate the objective is missed: there is little headroom",
    };
  }
  if (facts.below === "meets") {
    yield { worst: "B", reason: "one step less met the objective too: the smaller size may be enough" };
  } else if (facts.below === "not-run" && facts.targetKind !== "url") {
    yield { worst: "B", reason: "one step less was not tried" };
  }
  if (facts.replicas > 1) {
    yield {
      worst: "B",
      reason: `one replica was measured; that ${facts.replicas} bear the whole rate is calculated`,
    };
  }
  if (!facts.enoughRequests) {
    yield {
      worst: "B",
      reason:
        "the verifying window held too few requests to be sure of the percentile: the rate is low for it",
    };
  }
  if (facts.close) {
    yield {
      worst: "B",
      reason: "the objective lies within the interval of what was measured: it could go either way",
    };
  }
  if (facts.disturbedWindows > 0) {
    yield {
      worst: "B",
      reason: `${facts.disturbedWindows} ${facts.disturbedWindows === 1 ? "window was" : "windows were"} disturbed by the load generator or by other processes`,
    };
  }
  if ((facts.otherCores ?? 0) > 0.2) {
    yield {
      worst: "B",
      reason: `other processes used ${facts.otherCores?.toFixed(1)} cores of the machine meanwhile`,
    };
  }
  if (facts.warmUp === "still-changing") {
    yield { worst: "B", reason: "the service was still changing its pace when the warm-up ended" };
  }
  if (facts.leak === "leak-suspected") {
    yield { worst: "C", reason: "memory grows with every request: no limit is enough for ever" };
  }
  if (facts.memoryKills > 0) {
    yield {
      worst: "B",
      reason: `it was killed for want of memory ${facts.memoryKills === 1 ? "once" : `${facts.memoryKills} times`} and given more`,
    };
  }
  if (facts.start === "calculated") {
    yield {
      worst: "B",
      reason:
        "how long it starts under the recommended CPU is calculated: trying it would have taken too long",
    };
  }
  if (facts.startRaisedFrom !== undefined) {
    yield {
      worst: "B",
      reason: `the load asks for ${facts.startRaisedFrom} cores only, with which it would not be ready in time (--ready-timeout)`,
    };
  }
  if (facts.rSquared !== undefined && facts.rSquared < 0.9) {
    yield { worst: "B", reason: `CPU time does not follow the rate well (R² ${facts.rSquared.toFixed(2)})` };
  }
  if (facts.budget === "used-up")
    yield { worst: "B", reason: "the time budget was used up before all was tried" };
}
