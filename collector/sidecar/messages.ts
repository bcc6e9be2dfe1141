import type { SidecarOptions } from "./options.ts";
import type { Slab } from "./slab.ts";

/** What the background thread starts with. */
export interface BackgroundStart {
  readonly options: SidecarOptions;
  readonly counters: SharedArrayBuffer;
}

export type ToBackground =
  | { readonly say: "calls"; readonly slab: Slab }
  | { readonly say: "drain"; readonly graceMs: number };

export type FromBackground =
  | { readonly say: "ready" }
  | { readonly say: "done"; readonly slab: Slab }
  | { readonly say: "drained" }
  | {
      readonly say: "log";
      readonly level: "info" | "warn";
      readonly message: string;
      readonly fields: Readonly<Record<string, unknown>>;
    };
