import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { ApiClient } from "../../app/api-client.ts";
import { profiledModel } from "../../app/profile-model.ts";
import { replicaPlan } from "../../schema/deployment.ts";
import { FIXTURES, haveFixtures, WITHOUT_FIXTURES } from "../fixtures.ts";

const options = {
  client: () => new ApiClient({ url: "http://127.0.0.1:9" }),
  threads: [1, 2],
  batchSizes: [1],
  seed: 1,
  signal: new AbortController().signal,
};

describe("a model to be profiled", () => {
  it("is served from its file as deploying would serve it, with bodies by its signature", async ({
    skip,
  }) => {
    if (!haveFixtures || FIXTURES === undefined) return skip(WITHOUT_FIXTURES);
    const model = await profiledModel(join(FIXTURES, "models/mnist-8.onnx"), options);
    const planFile = /--plan (\S+)/.exec(model.commands[1]?.command ?? "")?.[1] ?? "";
    const plan = replicaPlan.parse(JSON.parse(readFileSync(planFile, "utf8")));
    expect(plan).toMatchObject({ model: "mnist-8", threads: 2, replicas: 1 });
    expect(model).toMatchObject({ path: "/v2/models/mnist-8/infer", ready: "/v2/health/ready" });
    expect(model.payloads.length).toBeGreaterThan(10);
    expect(model.commands[0]?.command).toContain("--port {port}");
    await model.remove();
    expect(existsSync(planFile)).toBe(false);
  });

  it("that is neither a file nor on a server that answers is said so", async () => {
    await expect(profiledModel("churn@champion", options)).rejects.toThrow(/127.0.0.1:9 does not answer/);
  });
});
