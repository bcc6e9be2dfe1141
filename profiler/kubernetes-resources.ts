import type { ProfileRecommendation } from "../schema/profile.ts";

const MIB = 1024 * 1024;

/**
 * The `resources` section of a container, with the number of replicas and how it was found as comments.
 *
 * @param limit - `with-limit`: the verified CPU as limit. Without one, Kubernetes lets the container use idle cores.
 */
export function kubernetesResources(
  recommendation: ProfileRecommendation,
  { grade, rate }: { readonly grade: string; readonly rate: number },
): string {
  const { cpu, cpu_request, memory_bytes, replicas } = recommendation;
  if (cpu === null || memory_bytes === null)
    return "# nothing to recommend: CPU and memory could not be measured\n";
  const memory = `${Math.ceil(memory_bytes / MIB)}Mi`;
  return [
    `# leeway profile, grade ${grade}: ${replicas ?? 1} ${replicas === 1 || replicas === null ? "replica" : "replicas"} for ${rate} requests per second`,
    "resources:",
    "  requests:",
    `    cpu: ${millicores(cpu_request ?? cpu)}`,
    `    memory: ${memory}`,
    "  limits:",
    `    cpu: ${millicores(cpu)}`,
    `    memory: ${memory}`,
    "",
  ].join("\n");
}

function millicores(cores: number): string {
  return `${Math.round(cores * 1_000)}m`;
}
