import type { ProfileRecommendation } from "../../schema/profile.ts";

/** What the resources of a packaged model are made from. */
export interface PackagedModel {
  /** Of the resources: small letters, digits and dashes. */
  readonly name: string;
  readonly model: string;
  readonly version: string;
  /** The container image that was built from the package. */
  readonly image: string;
  /** Of the last profile of the version, if there is one. */
  readonly recommendation: ProfileRecommendation | undefined;
}

export interface KubernetesFile {
  readonly file: string;
  /** Stands above the document. */
  readonly comment: string;
  readonly document: object;
}

const PORT = 8430;
const MIB = 1024 * 1024;
/** Where nothing was measured: enough for a small model to start, and no limit of processors. */
const UNMEASURED = { requests: { cpu: "250m", memory: "256Mi" }, limits: { memory: "1Gi" } };

/** The longest name that leaves room for what Kubernetes and KServe put behind it: a label has 63 characters. */
const LONGEST_NAME = 50;

/**
 * A model's name as one of a resource: small letters, digits and dashes, with a letter first as those of services have.
 *
 * @example
 * kubernetesName("3D_Net.v2"); // "model-3d-net-v2"
 */
export function kubernetesName(model: string): string {
  const plain = model.toLowerCase().replaceAll(/[^a-z0-9]+/g, "-");
  const name = /^[a-z]/.test(plain) ? plain : `model-${plain}`;
  return name.slice(0, LONGEST_NAME).replaceAll(/-+$/g, "").replaceAll(/-{2,}/g, "-");
}

/**
 * Kubernetes resources for a packaged model: Deployment, Service, HorizontalPodAutoscaler, ServiceMonitor of the
 * Prometheus operator, and a KServe InferenceService to be used instead of the first three.
 *
 * @example
 * kubernetesFiles({ name: "churn", model: "churn", version: "3", image: "churn:3", recommendation: undefined })[0]?.file;
 * // "deployment.yaml"
 */
export function kubernetesFiles(model: PackagedModel): readonly KubernetesFile[] {
  const measured = model.recommendation && resourcesOf(model.recommendation);
  const how = measured
    ? "Resources are those of the last profile."
    : "Resources were not measured: run leeway profile and package again.";
  return [
    { file: "deployment.yaml", comment: how, document: deployment(model, measured) },
    {
      file: "service.yaml",
      comment: "Inside the cluster; an ingress goes before it.",
      document: service(model),
    },
    {
      file: "autoscaler.yaml",
      comment: "Adds pods above 70 % of the CPU that each asks for.",
      document: autoscaler(model),
    },
    {
      file: "service-monitor.yaml",
      comment: "For the Prometheus operator.",
      document: serviceMonitor(model),
    },
    {
      file: "inference-service.yaml",
      comment: `For KServe, instead of deployment, service and autoscaler. ${how}`,
      document: inferenceService(model, measured),
    },
  ];
}

type Resources = { readonly requests: object; readonly limits: object };

function resourcesOf({ cpu, cpu_request, memory_bytes }: ProfileRecommendation): Resources | undefined {
  if (cpu === null || memory_bytes === null) return undefined;
  const memory = `${Math.ceil(memory_bytes / MIB)}Mi`;
  return {
    requests: { cpu: millicores(cpu_request ?? cpu), memory },
    limits: { cpu: millicores(cpu), memory },
  };
}

function millicores(cores: number): string {
  return `${Math.round(cores * 1_000)}m`;
}

function labels({ name, version }: PackagedModel) {
  return { "app.kubernetes.io/name": name, "app.kubernetes.io/version": version };
}

function selector({ name }: PackagedModel) {
  return { "app.kubernetes.io/name": name };
}

function container({ image }: PackagedModel, measured: Resources | undefined) {
  return {
    image,
    ports: [{ containerPort: PORT }],
    resources: measured ?? UNMEASURED,
    readinessProbe: probe("/v2/health/ready", { periodSeconds: 5 }),
    livenessProbe: probe("/v2/health/live", { periodSeconds: 10, failureThreshold: 6 }),
    // As the strictest of the pod security standards demands ("restricted").
    securityContext: {
      seccompProfile: { type: "RuntimeDefault" },
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      runAsNonRoot: true,
      runAsUser: 1000,
      capabilities: { drop: ["ALL"] },
    },
  };
}

function probe(path: string, more: object) {
  return { httpGet: { path, port: PORT }, ...more };
}

function deployment(model: PackagedModel, measured: Resources | undefined) {
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: model.name, labels: labels(model) },
    spec: {
      replicas: model.recommendation?.replicas ?? 2,
      selector: { matchLabels: selector(model) },
      // A pod ends only when the new one is ready: no call is dropped.
      strategy: { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } },
      template: {
        metadata: { labels: labels(model) },
        spec: {
          terminationGracePeriodSeconds: 45,
          containers: [
            {
              name: "replica",
              ...container(model, measured),
              ports: [{ name: "http", containerPort: PORT }],
              // Calls still come while the cluster hears that the pod is to go; a replica that ends takes none.
              lifecycle: { preStop: { exec: { command: ["sleep", "5"] } } },
              startupProbe: probe("/v2/health/ready", { periodSeconds: 2, failureThreshold: 60 }),
            },
          ],
        },
      },
    },
  };
}

function service(model: PackagedModel) {
  return {
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: model.name, labels: labels(model) },
    spec: { selector: selector(model), ports: [{ name: "http", port: 80, targetPort: "http" }] },
  };
}

function autoscaler(model: PackagedModel) {
  const least = model.recommendation?.replicas ?? 2;
  return {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name: model.name, labels: labels(model) },
    spec: {
      scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: model.name },
      minReplicas: least,
      maxReplicas: least * 5,
      metrics: [
        {
          type: "Resource",
          resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 70 } },
        },
      ],
    },
  };
}

function serviceMonitor(model: PackagedModel) {
  return {
    apiVersion: "monitoring.coreos.com/v1",
    kind: "ServiceMonitor",
    metadata: { name: model.name, labels: labels(model) },
    spec: {
      selector: { matchLabels: selector(model) },
      endpoints: [{ port: "http", path: "/metrics", interval: "15s" }],
    },
  };
}

function inferenceService(model: PackagedModel, measured: Resources | undefined) {
  const least = model.recommendation?.replicas ?? 1;
  return {
    apiVersion: "serving.kserve.io/v1beta1",
    kind: "InferenceService",
    metadata: { name: model.name, labels: labels(model) },
    spec: {
      predictor: {
        minReplicas: least,
        maxReplicas: least * 5,
        // Knative, which KServe uses where it is installed, takes no name of a port but its own, and probes the start itself.
        containers: [
          {
            name: "kserve-container",
            ...container(model, measured),
            livenessProbe: probe("/v2/health/live", { periodSeconds: 10, failureThreshold: 12 }),
          },
        ],
      },
    },
  };
}
