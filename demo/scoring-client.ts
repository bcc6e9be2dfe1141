import { Agent, request } from "node:http";
import { z } from "zod";
import type { FlightInputs } from "./model.ts";
import { MODEL } from "./set-up.ts";

const CALLS_AT_ONCE = 3;

const predictAnswer = z.object({ predictions: z.array(z.number()) });

/** What was asked of the deployment, and how often it had no answer. */
export interface Calls {
  made: number;
  failed: number;
}

/** Whoever sells tickets: calls the deployment as any program would. */
export class ScoringClient {
  readonly calls: Calls = { made: 0, failed: 0 };
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: CALLS_AT_ONCE });

  /** @param url - The deployment's. */
  constructor(url: string) {
    this.#url = `${url}/v1/models/${MODEL}:predict`;
  }

  /**
   * Asks for the flights of one hour.
   *
   * @param id - By which the labels come later, with the flight's place in the call.
   * @param at - When they leave: the call's own time is of 2001 too.
   * @returns How many were scored.
   */
  async score(id: string, at: Date, flights: readonly FlightInputs[]): Promise<number> {
    this.calls.made += 1;
    try {
      const { status, body } = await this.#post(id, at, JSON.stringify({ instances: flights }));
      if (status !== 200) throw new Error(`the deployment answered ${status}: ${body}`);
      const { predictions } = predictAnswer.parse(JSON.parse(body));
      return predictions.length;
    } catch {
      this.calls.failed += 1; // the end of the demo tells
      return 0;
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #post(id: string, at: Date, body: string): Promise<{ readonly status: number; readonly body: string }> {
    return new Promise((resolve, reject) => {
      const headers = {
        "content-type": "application/json",
        "content-length": Buffer.byteLength(body),
        "x-request-id": id,
        "ce-time": at.toISOString(),
      };
      const call = request(this.#url, { method: "POST", agent: this.#agent, headers }, (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part));
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }),
        );
      });
      call.on("error", reject);
      call.end(body);
    });
  }
}
