import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { ServiceMonitor } from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor";
import { Deployment } from "kubernetes-models/apps/v1/Deployment";
import { HorizontalPodAutoscaler } from "kubernetes-models/autoscaling/v2/HorizontalPodAutoscaler";
import { PodSpec } from "kubernetes-models/v1/PodSpec";
import { Service } from "kubernetes-models/v1/Service";
import { describe, expect, it } from "vitest";
import { kubernetesFiles, kubernetesName } from "../../deployer/package/kubernetes.ts";
import type { ProfileRecommendation } from "../../schema/profile.ts";

/** A Python that has KServe's models: the one that is named, or the one of the PATH. */
const python = [process.env.LEEWAY_KSERVE_PYTHON, "python3"].find((program) => {
  try {
    if (program === undefined) return false;
    const find = "from importlib.util import find_spec as f; exit(not (f('kserve') and f('kubernetes')))";
    execFileSync(program, ["-c", find], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
});
const WITHOUT =
  "needs KServe's models: pip install --no-deps kserve kubernetes==35.0.0, or name a Python that has them in LEEWAY_KSERVE_PYTHON";

const MEASURED: ProfileRecommendation = {
  cpu: 0.5,
  cpu_request: 0.35,
  memory_bytes: 200 * 1024 ** 2,
  replicas: 3,
  threads: 1,
  batch_size: null,
  rate_per_replica: 40,
};
const VARIANTS = [
  { profile: "measured", recommendation: MEASURED },
  { profile: "measured, without a request of its own", recommendation: { ...MEASURED, cpu_request: null } },
  {
    profile: "that could not measure",
    recommendation: { ...MEASURED, cpu: null, memory_bytes: null, replicas: null },
  },
  { profile: "none", recommendation: undefined },
];

type Json = { readonly [key: string]: Json } | readonly Json[] | string | number | boolean | null;
type Document = { readonly [key: string]: Json };

function documents(recommendation: ProfileRecommendation | undefined): ReadonlyMap<string, Document> {
  const model = { name: "churn", model: "churn", version: "3", image: "registry.example/churn:3" };
  const files = kubernetesFiles({ ...model, recommendation });
  return new Map(files.map(({ file, document }) => [file, JSON.parse(JSON.stringify(document)) as Document]));
}

/** The published schema of each file, as far as it can be had on npm; of a KServe predictor that is its pod. */
const VALIDATORS: Readonly<Record<string, (document: Document) => void>> = {
  "deployment.yaml": (document) => new Deployment(document as never).validate(),
  "service.yaml": (document) => new Service(document as never).validate(),
  "autoscaler.yaml": (document) => new HorizontalPodAutoscaler(document as never).validate(),
  "service-monitor.yaml": (document) => new ServiceMonitor(document as never).validate(),
  "inference-service.yaml": ({ spec }) => {
    const { minReplicas: _, maxReplicas: __, ...pod } = (spec as Document).predictor as Document;
    new PodSpec(pod as never).validate();
  },
};

/** Whatever a field is, by a schema that knows it, it is not that. */
const NOTHING_SUCH: Json = [[]];

/** The document with each of its fields in turn being wrong, by the path of that field. */
function* spoilt(value: Json, path = ""): Generator<readonly [path: string, wrong: Json]> {
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    const at = `${path}/${key}`;
    const withInner = (wrong: Json) =>
      Array.isArray(value)
        ? value.map((item: Json, index) => (index === Number(key) ? wrong : item))
        : { ...value, [key]: wrong };
    yield [at, withInner(NOTHING_SUCH)];
    for (const [deeper, wrong] of spoilt(inner, at)) yield [deeper, withInner(wrong)];
  }
}

/** Paths whose content the schema of a file does not look at, as it does with fields that it does not know. */
function unchecked(file: string, document: Document): readonly string[] {
  return [...spoilt(document)]
    .filter(([, wrong]) => {
      try {
        VALIDATORS[file]?.(wrong as Document);
        return true;
      } catch {
        return false;
      }
    })
    .map(([path]) => path);
}

/** What KServe's and Kubernetes' own classes say of documents. */
function complaints(all: readonly Document[]): readonly (readonly string[])[] {
  const script = join(import.meta.dirname, "kserve-schema.py");
  return JSON.parse(execFileSync(python ?? "", [script], { input: JSON.stringify(all), encoding: "utf8" }));
}

describe.each(VARIANTS)("the Kubernetes resources with the profile: $profile", ({ recommendation }) => {
  const found = documents(recommendation);

  it.each(Object.keys(VALIDATORS))("%s is valid by the published schema", (file) => {
    VALIDATORS[file]?.(found.get(file) ?? {});
  });

  it.each(Object.keys(VALIDATORS).filter((file) => file !== "inference-service.yaml"))(
    "%s has only fields that the published schema knows",
    (file) => expect(unchecked(file, found.get(file) ?? {})).toEqual([]),
  );

  it.skipIf(python === undefined)(`are what KServe's and Kubernetes' own models take (${WITHOUT})`, () => {
    const judged = [...found].filter(([file]) => file !== "service-monitor.yaml");
    expect(judged.length).toBe(4);
    expect(complaints(judged.map(([, document]) => document))).toEqual([[], [], [], []]);
  });

  it("the InferenceService is what Knative takes, which KServe makes of it: one port, without a name of ours", () => {
    const { spec } = found.get("inference-service.yaml") as {
      readonly spec: { readonly predictor: { readonly containers: readonly Document[] } };
    };
    const [container, ...more] = spec.predictor.containers;
    expect([container?.name, container?.ports, more]).toEqual([
      "kserve-container",
      [{ containerPort: 8430 }],
      [],
    ]);
    for (const probe of [container?.readinessProbe, container?.livenessProbe])
      expect(probe).toMatchObject({ httpGet: { port: 8430 } });
    for (const field of ["startupProbe", "lifecycle"]) expect(container).not.toHaveProperty(field);
  });
});

it("a field that no schema knows, or of a wrong type, is seen", () => {
  const deployment = documents(MEASURED).get("deployment.yaml") ?? {};
  const { spec } = deployment as { readonly spec: Document };
  expect(() =>
    VALIDATORS["deployment.yaml"]?.({ ...deployment, spec: { ...spec, replicas: "three" } }),
  ).toThrow(/replicas/);
  const misspelt = { ...deployment, spec: { ...spec, replica: 3 } };
  expect(unchecked("deployment.yaml", misspelt)).toEqual(["/spec/replica"]);
});

it.skipIf(python === undefined)(`KServe's own models refuse what is wrong (${WITHOUT})`, () => {
  const good = documents(MEASURED).get("inference-service.yaml") as {
    readonly spec: { readonly predictor: { readonly containers: readonly Document[] } };
  };
  const { predictor } = good.spec;
  const withPredictor = (wrong: Json) => ({ ...good, spec: { predictor: wrong } }) as Document;
  const withContainer = (more: Document) =>
    withPredictor({ ...predictor, containers: [{ ...predictor.containers[0], ...more } as Document] });
  const where = "InferenceService.spec.predictor";
  const cases: readonly (readonly [Document, string])[] = [
    [withPredictor({ ...predictor, replicas: 3 }), `${where}.replicas is not known`],
    [withPredictor({ ...predictor, minReplicas: "3" }), `${where}.minReplicas is no int`],
    [{ ...good, spec: {} } as Document, "InferenceService.spec needs predictor"],
    [withContainer({ port: 8430 }), `${where}.containers.0.port is not known`],
    [withContainer({ ports: [{ name: "x" }] }), `${where}.containers.0.ports.0 needs containerPort`],
    [
      withContainer({ resources: { limits: { cpu: 1 } } }),
      `${where}.containers.0.resources.limits.cpu is no str`,
    ],
    [
      { ...good, apiVersion: "serving.kserve.io/v1" } as Document,
      "serving.kserve.io/v1 InferenceService is not known",
    ],
  ];
  expect(complaints(cases.map(([document]) => document))).toEqual(cases.map(([, said]) => [said]));
});

it("a pod goes on while the cluster hears that it is to go, and has time to answer what it has then", () => {
  const { spec } = documents(undefined).get("deployment.yaml") as {
    readonly spec: { readonly template: { readonly spec: Document }; readonly strategy: Document };
  };
  expect(spec).toMatchObject({ strategy: { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } } });
  expect(spec.template.spec).toMatchObject({
    terminationGracePeriodSeconds: 45, // more than 5 s, and the 30 s in which a replica finishes
    containers: [{ lifecycle: { preStop: { exec: { command: ["sleep", "5"] } } } }],
  });
});

it("take what the last profile found", () => {
  expect(documents(MEASURED).get("deployment.yaml")).toMatchObject({
    spec: {
      replicas: 3,
      template: {
        spec: {
          containers: [
            {
              image: "registry.example/churn:3",
              resources: {
                requests: { cpu: "350m", memory: "200Mi" },
                limits: { cpu: "500m", memory: "200Mi" },
              },
            },
          ],
        },
      },
    },
  });
  expect(documents(MEASURED).get("inference-service.yaml")).toMatchObject({
    spec: { predictor: { minReplicas: 3, maxReplicas: 15 } },
  });
  expect(documents(undefined).get("inference-service.yaml")).toMatchObject({
    spec: { predictor: { minReplicas: 1, maxReplicas: 5 } },
  });
});

it.each([
  ["churn", "churn"],
  ["3D_Net.v2", "model-3d-net-v2"],
  ["2024", "model-2024"],
  [`${"a".repeat(49)}.b`, "a".repeat(49)],
  ["_", "model"],
])("a model %s is called %s", (model, name) => {
  expect(kubernetesName(model)).toBe(name);
  expect(kubernetesName(model)).toMatch(/^[a-z]([-a-z0-9]*[a-z0-9])?$/); // of services, and of KServe
});
