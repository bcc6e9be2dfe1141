import type { Candidate } from "../profile-request.ts";
import type { Service } from "./service.ts";
import { startCommand } from "./start-command.ts";

/** Starts a command; a service that runs elsewhere is taken as it is, and never stopped. */
export async function startCandidate(
  candidate: Candidate,
  place: Parameters<typeof startCommand>[1],
): Promise<Service> {
  if (candidate.kind === "command") return startCommand(candidate, place);
  return {
    origin: candidate.origin,
    pid: undefined,
    readyMs: undefined,
    death: () => undefined,
    stop: async () => undefined,
  };
}
