import type { MicroBatching } from "../../schema/deployment.ts";
import { ELEMENT_ARRAYS, type RawTensor, type RuntimeDatatype } from "../onnx/raw-tensor.ts";
import type { ThreadRun } from "./model-thread.ts";

/** What a request's part of a run came to. */
export interface BatchedRun extends ThreadRun {
  /** Runs of the model: the first request of a batch has it, and the others none. */
  readonly runs: number;
}

interface Waiting {
  readonly inputs: readonly RawTensor[];
  readonly rows: number;
  readonly resolve: (run: BatchedRun) => void;
  readonly reject: (error: unknown) => void;
}

/** Requests that go together: their tensors differ in the first dimension only. */
interface Gathering {
  readonly waiting: Waiting[];
  rows: number;
  timer: NodeJS.Timeout | NodeJS.Immediate | undefined;
  /** Whether their time is over: they go as soon as the model is free. */
  due: "yes" | "no";
}

type Run = (inputs: readonly RawTensor[], rows: number) => ThreadRun | Promise<ThreadRun>;

/**
 * Runs the instances of several requests at once. A request waits for others as long as it is allowed to, and no longer
 * than the model is busy; each gets the outputs of its own instances. Should a run fail, its requests are run one by one,
 * so that only those fail which do so by themselves.
 */
export class MicroBatch {
  readonly #most: MicroBatching;
  readonly #run: Run;
  readonly #gathering = new Map<string, Gathering>();
  #underWay = 0;

  constructor(most: MicroBatching, run: Run) {
    this.#most = most;
    this.#run = run;
  }

  run(inputs: readonly RawTensor[], rows: number): Promise<BatchedRun> {
    return new Promise((resolve, reject) => {
      const request = { inputs, rows, resolve, reject };
      if (rows >= this.#most.max_rows) {
        void this.#runTogether([request]);
        return;
      }
      const kind = inputs.map(({ dims }) => dims.slice(1).join("x")).join(" ");
      const before = this.#gathering.get(kind);
      if (before && before.rows + rows > this.#most.max_rows) this.#send(kind, before);
      const gathering = this.#gathering.get(kind) ?? this.#gather(kind);
      gathering.waiting.push(request);
      gathering.rows += rows;
      if (gathering.rows >= this.#most.max_rows) this.#send(kind, gathering);
    });
  }

  #gather(kind: string): Gathering {
    const gathering: Gathering = { waiting: [], rows: 0, timer: undefined, due: "no" };
    const over = () => {
      gathering.due = "yes";
      if (this.#underWay === 0) this.#send(kind, gathering);
    };
    const { max_delay_ms } = this.#most;
    gathering.timer = max_delay_ms === 0 ? setImmediate(over) : setTimeout(over, max_delay_ms);
    this.#gathering.set(kind, gathering);
    return gathering;
  }

  #send(kind: string, gathering: Gathering): void {
    this.#gathering.delete(kind);
    if (this.#most.max_delay_ms === 0) clearImmediate(gathering.timer as NodeJS.Immediate);
    else clearTimeout(gathering.timer as NodeJS.Timeout);
    void this.#runTogether(gathering.waiting);
  }

  async #runTogether(requests: readonly Waiting[]): Promise<void> {
    this.#underWay += 1;
    try {
      const rows = requests.reduce((sum, request) => sum + request.rows, 0);
      const { outputs, runMs } = await this.#run(joined(requests), rows);
      const parts = split(outputs, requests, rows);
      requests.forEach((request, at) => {
        const share = { outputs: parts[at] ?? [], runMs: (runMs * request.rows) / rows };
        request.resolve({ ...share, runs: at === 0 ? 1 : 0 });
      });
    } catch (error) {
      if (requests.length === 1) requests[0]?.reject(error);
      else for (const request of requests) await this.#runTogether([request]);
    } finally {
      this.#underWay -= 1;
    }
    if (this.#underWay > 0) return;
    for (const [kind, gathering] of this.#gathering) if (gathering.due === "yes") this.#send(kind, gathering);
  }
}

function joined(requests: readonly Waiting[]): readonly RawTensor[] {
  const [first] = requests;
  if (!first || requests.length === 1) return first?.inputs ?? [];
  return first.inputs.map((tensor, at): RawTensor => {
    const parts = requests.map(({ inputs }) => inputs[at] as RawTensor); // of one model
    const length = parts.reduce((sum, { dims: [rows = 0] }) => sum + rows, 0);
    const data = joinedData(
      tensor.datatype,
      parts.map((part) => part.data),
    );
    return { ...tensor, dims: [length, ...tensor.dims.slice(1)], data };
  });
}

function joinedData(datatype: RuntimeDatatype, parts: readonly RawTensor["data"][]): RawTensor["data"] {
  if (datatype === "BYTES") return (parts as readonly (readonly string[])[]).flat(); // texts, see RawTensor
  const whole = new ELEMENT_ARRAYS[datatype](parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part as never, at); // all are of this kind, see RawTensor
    at += part.length;
  }
  return whole;
}

/** @throws Error when an output is not one row per instance: there is no telling whose is what then. */
function split(
  outputs: readonly RawTensor[],
  requests: readonly Waiting[],
  rows: number,
): readonly (readonly RawTensor[])[] {
  if (requests.length === 1) return [outputs];
  const strange = outputs.find(({ dims }) => dims[0] !== rows);
  if (strange)
    throw new Error(`output "${strange.name}" of ${rows} instances has the shape [${strange.dims}]`);
  let from = 0;
  return requests.map((request) => {
    const start = from;
    from += request.rows;
    return outputs.map((output) => {
      const width = output.data.length / rows;
      const data = output.data.slice(start * width, from * width) as RawTensor["data"];
      return { ...output, dims: [request.rows, ...output.dims.slice(1)], data };
    });
  });
}
