import { Agent, request } from "node:http";

export interface LoadReport {
  /** Answers by status code; `error` for a connection that broke. */
  readonly answers: Readonly<Record<string, number>>;
  /** Answers by the version that gave them. */
  readonly versions: Readonly<Record<string, number>>;
  /** What went wrong, the first few. */
  readonly troubles: readonly string[];
  readonly slowestMs: number;
}

/** Callers that ask again as soon as they are answered, each on a connection of its own that is kept. */
export function startLoad(
  url: string,
  path: string,
  body: object,
  callers: number,
  more: Readonly<Record<string, string>> = {},
): { stop(): Promise<LoadReport>; answeredBy(version: string): number } {
  const agent = new Agent({ keepAlive: true, maxSockets: callers });
  const text = JSON.stringify(body);
  const answers: Record<string, number> = {};
  const versions: Record<string, number> = {};
  const troubles: string[] = [];
  let slowestMs = 0;
  let state: "running" | "stopping" = "running";
  const trouble = (kind: string, what: string) => {
    answers[kind] = (answers[kind] ?? 0) + 1;
    if (troubles.length < 5) troubles.push(`${kind}: ${what}`);
  };
  const ask = () =>
    new Promise<void>((resolve) => {
      const asked = performance.now();
      const call = request(`${url}${path}`, {
        method: "POST",
        agent,
        headers: { "content-type": "application/json", "content-length": Buffer.byteLength(text), ...more },
      });
      call.on("error", (error) => {
        trouble("error", error.message);
        resolve();
      });
      call.on("response", (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("error", () => resolve());
        response.on("end", () => {
          slowestMs = Math.max(slowestMs, performance.now() - asked);
          const answer = Buffer.concat(parts).toString();
          if (response.statusCode === 200) {
            answers["200"] = (answers["200"] ?? 0) + 1;
            const { model_version: version = "" } = JSON.parse(answer) as { model_version?: string };
            versions[version] = (versions[version] ?? 0) + 1;
          } else trouble(String(response.statusCode), answer);
          resolve();
        });
      });
      call.end(text);
    });
  const caller = async () => {
    while (state === "running") {
      await ask();
      await new Promise((resolve) => setTimeout(resolve, 1)); // others of this machine have work to do too
    }
  };
  const running = Array.from({ length: callers }, caller);
  return {
    answeredBy: (version) => versions[version] ?? 0,
    stop: async () => {
      state = "stopping";
      await Promise.all(running);
      agent.destroy();
      return { answers, versions, troubles, slowestMs };
    },
  };
}
