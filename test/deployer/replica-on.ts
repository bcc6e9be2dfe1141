import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkModel } from "../../deployer/onnx/check-model.ts";
import { Replica } from "../../deployer/replica/replica.ts";
import { type ReplicaPlan, replicaPlan } from "../../schema/deployment.ts";
import type { ModelSignature } from "../../schema/signature.ts";
import { oneNode, onnxFile } from "./onnx-file.ts";

/** A folder for model files, which goes when the tests have ended. */
export function modelFolder(): {
  readonly path: string;
  write(name: string, bytes: Uint8Array): string;
  remove(): void;
} {
  const path = mkdtempSync(join(tmpdir(), "leeway-replica-"));
  return {
    path,
    write: (name, bytes) => {
      const file = join(path, name);
      writeFileSync(file, bytes);
      return file;
    },
    remove: () => rmSync(path, { recursive: true, force: true }),
  };
}

type PlanInput = Partial<Omit<ReplicaPlan, "versions" | "limits" | "capture">> & {
  readonly limits?: Partial<ReplicaPlan["limits"]>;
  readonly capture?: Pick<NonNullable<ReplicaPlan["capture"]>, "collector"> &
    Partial<NonNullable<ReplicaPlan["capture"]>>;
};
type VersionInput = Partial<ReplicaPlan["versions"][number]> & { readonly model_file: string };

let served: { readonly path: string; remove(): void } | undefined;
/** Where files go that differ from those they are made of: never beside those. */
function servedFolder(): string {
  if (!served) {
    served = modelFolder();
    process.once("exit", served.remove);
  }
  return served.path;
}

/** A version of a file as a registry would plan it. */
export async function planned(
  { model_file, ...more }: VersionInput,
  names: Pick<ModelSignature, "feature_names" | "class_labels"> = {},
): Promise<ReplicaPlan["versions"][number]> {
  const found = await checkModel(model_file, join(servedFolder(), `${randomUUID()}.onnx`));
  if (found.verdict !== "loads") throw new Error(found.reason);
  return {
    version: "1",
    weight: 100,
    model_file: found.served_file ?? model_file,
    signature: { ...found.signature, ...names },
    ...more,
  };
}

export function planOf(versions: ReplicaPlan["versions"], more: PlanInput = {}): ReplicaPlan {
  return replicaPlan.parse({ deployment: "test", number: 1, model: "model", threads: 1, versions, ...more });
}

/** A replica on a free port of this process. */
export function replicaOn(plan: ReplicaPlan): Promise<Replica> {
  return Replica.start({ plan, listen: { host: "127.0.0.1", port: 0 }, version: "0", log: () => undefined });
}

export interface Told {
  readonly status: number;
  readonly headers: Headers;
  readonly json: unknown;
}

export async function post(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = { "content-type": "application/json" },
): Promise<Told> {
  const sent = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body);
  const response = await fetch(url, { method: "POST", body: sent as string, headers });
  const text = await response.text();
  return { status: response.status, headers: response.headers, json: parsed(text) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** y = x + w, of two columns: which version has answered can be seen. */
export function adding(w: number): Uint8Array {
  return onnxFile({
    ...oneNode({ op: "Add", inputs: ["x", "w"] }),
    constants: [{ name: "w", type: 1, dims: [2], floats: [w, w] }],
  });
}

/** A model that takes about as many microseconds as rounds: y = cos(cos(… x)). */
export function slow(rounds: number): Uint8Array {
  return onnxFile({
    nodes: [
      {
        op: "Loop",
        inputs: ["rounds", "", "x"],
        outputs: ["y"],
        attributes: [
          {
            name: "body",
            graph: {
              nodes: [
                { op: "Identity", inputs: ["go"], outputs: ["go_on"] },
                { op: "Cos", inputs: ["v"], outputs: ["w"] },
              ],
              inputs: [
                { name: "i", type: 7, shape: [] },
                { name: "go", type: 9, shape: [] },
                { name: "v", shape: ["n", 2] },
              ],
              outputs: [
                { name: "go_on", type: 9, shape: [] },
                { name: "w", shape: ["n", 2] },
              ],
            },
          },
        ],
      },
    ],
    inputs: [{ name: "x", shape: ["n", 2] }],
    outputs: [{ name: "y", shape: ["n", 2] }],
    constants: [{ name: "rounds", type: 7, dims: [], ints: [rounds] }],
  });
}

/** A model that fails at any row that begins with a negative number: it looks up a row of a table by it. */
export function failing(): Uint8Array {
  return onnxFile({
    nodes: [
      { op: "Cast", inputs: ["x"], outputs: ["at"], attributes: [{ name: "to", int: 7 }] },
      { op: "Gather", inputs: ["table", "at"], outputs: ["y"] },
    ],
    inputs: [{ name: "x", shape: ["n", 2] }],
    outputs: [{ name: "y", shape: ["n", 2] }],
    constants: [{ name: "table", type: 1, dims: [2], floats: [1, 2] }],
  });
}
