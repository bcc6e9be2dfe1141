import type { RawTensor } from "../onnx/raw-tensor.ts";
import type { END } from "../start-thread.ts";

export interface ThreadStart {
  readonly modelFile: string;
  readonly threads: number;
}

export interface RunRequest {
  readonly id: number;
  readonly inputs: readonly RawTensor[];
}

export type ToThread = RunRequest | typeof END;

export type FromThread =
  | { readonly say: "ready" }
  | {
      readonly say: "done";
      readonly id: number;
      readonly outputs: readonly RawTensor[];
      readonly runMs: number;
    }
  | { readonly say: "failed"; readonly id: number; readonly why: string };

/** Only arrays that are the whole of their buffer can be handed over; others are copied. */
export function buffersOf(tensors: readonly RawTensor[]): ArrayBuffer[] {
  return tensors.flatMap(({ data }) =>
    "buffer" in data && data.byteLength === data.buffer.byteLength ? [data.buffer] : [],
  );
}
