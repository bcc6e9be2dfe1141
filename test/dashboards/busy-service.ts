import { join } from "node:path";
import { normalSample, seededRandom } from "../../drift/distributions/random.ts";
import { makeFolder, serve } from "../e2e/leeway.ts";
import { waitFor } from "./wait-for.ts";

const HOUR_MS = 3_600_000;
const PER_HOUR = 40;
/** Nobody listens there, so that what is sent there waits. */
const NOBODY = "http://127.0.0.1:65530/hook";

/** A real `leeway serve` to which everything happens that a dashboard shows. */
export interface BusyService {
  readonly url: string;
  /** Records, labels, drift, data faults, an alert, a request to retrain, and messages that cannot be delivered. */
  happen(): Promise<void>;
  stop(): Promise<void>;
}

export async function startBusyService(): Promise<BusyService> {
  const folder = makeFolder();
  const server = await serve(["--data-dir", join(folder.path, "data")]);
  const call = async (method: string, path: string, body: string, type = "application/json") => {
    const response = await fetch(`${server.url}/v1/${path}`, {
      method,
      headers: { "content-type": type },
      body,
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${await response.text()}`);
    return response;
  };
  const put = (path: string, value: object) => call("PUT", path, JSON.stringify(value));
  return {
    url: server.url,
    happen: async () => {
      const now = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
      const training = rows(now - 24 * HOUR_MS, 20, 10);
      const lines = training.map(({ amount, age }) => `${amount},${age}`);
      await call("PUT", "models/churn/versions/1/baseline", `amount,age\n${lines.join("\n")}\n`, "text/csv");
      await put("channels/pager", { type: "webhook", url: NOBODY });
      await put("alert-rules/drift", { channels: ["pager"] });
      await put("retrain-policies/nightly", {
        ...{ model: "churn", monitor: "hourly", windows: 1, of_last: 1 },
        target: { type: "webhook", url: NOBODY },
      });
      // The amount moves, and the age is missing where it never was.
      const records = rows(now - 4 * HOUR_MS, 4, 30).map(({ time, amount }, i) =>
        JSON.stringify({
          id: `r${i}`,
          version: "1",
          time,
          inputs: { amount: i === 50 ? "much" : amount, age: i < PER_HOUR ? 40 : null },
        }),
      );
      records.push('{"id":"bad"}');
      await call("POST", "models/churn/records", records.join("\n"), "application/x-ndjson");
      await call("POST", "models/churn/labels", '[{"id":"r10","label":true}]');
      // A data fault is no reason to train again, so the two are watched apart.
      await put("models/churn/monitors/hourly", { window: "1h", grace: "1s", columns: ["amount"] });
      await put("models/churn/monitors/ages", { window: "1h", grace: "1s", columns: ["age"] });
      await waitFor("the windows to be checked and told", async () => {
        const metrics = await (await fetch(`${server.url}/metrics`)).text();
        return ["pager", "nightly"].every((target) =>
          new RegExp(`^leeway_undelivered_messages\\{.*target="${target}".*\\} [1-9]`, "m").test(metrics),
        );
      });
    },
    stop: async () => {
      await server.stop();
      folder.remove();
    },
  };
}

function rows(from: number, hours: number, centre: number) {
  const random = seededRandom(centre);
  return Array.from({ length: hours * PER_HOUR }, (_, i) => ({
    time: new Date(from + (i * HOUR_MS) / PER_HOUR).toISOString(),
    amount: centre + normalSample(random),
    age: Math.round(40 + 5 * normalSample(random)),
  }));
}
