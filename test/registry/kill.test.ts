import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import type { ModelVersion } from "../../schema/model-version.ts";
import { type LeewayServer, startLeeway } from "../collector/leeway-server.ts";
import { temporaryFolder } from "../collector/test-collector.ts";
import { filesWithin } from "./test-registry.ts";

const KILLS = 4;
const FILE_BYTES = 2_000_000;

/** Content that follows from its number, and differs from that of all others. */
function contentOf(number: number): string {
  return createHash("sha256")
    .update(String(number))
    .digest("hex")
    .repeat(FILE_BYTES / 64);
}

/** Registers a version under a key, whatever happens to the server meanwhile. */
async function register(url: () => string, number: number): Promise<ModelVersion> {
  for (;;) {
    try {
      const form = new FormData();
      form.append("name", "churn");
      form.append("file", new Blob([contentOf(number)]), "model.bin");
      form.append("file", new Blob(["the same in all"]), "shared.txt");
      const answer = await fetch(`${url()}/v1/models`, {
        method: "POST",
        headers: { "idempotency-key": `key-${number}` },
        body: form,
        signal: AbortSignal.timeout(20_000),
      });
      if (answer.ok) return (await answer.json()) as ModelVersion;
    } catch {
      // killed before it could answer: whether it is registered is unknown, so it is sent again
    }
    await sleep(50);
  }
}

it(`has every acknowledged version once and whole after ${KILLS} kills in the middle of uploads, and nothing else`, async () => {
  const dataDir = temporaryFolder();
  const models = join(dataDir, "models");
  let server: LeewayServer = await startLeeway(dataDir);
  let state: "killing" | "done" = "killing";
  const made = new Map<number, ModelVersion>();
  let next = 0;
  const sending = [1, 2].map(async () => {
    while (state === "killing") {
      const number = next++;
      made.set(number, await register(() => server.url, number));
    }
  });
  let broken = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    await sleep(200 + Math.random() * 400);
    const underWay = () => filesWithin(models).filter((path) => !path.startsWith("blobs/")).length;
    if (kill % 2 === 0) await expect.poll(underWay, { timeout: 10_000, interval: 1 }).toBeGreaterThan(0);
    await server.kill("SIGKILL");
    broken += underWay();
    server = await startLeeway(dataDir);
  }
  state = "done";
  await Promise.all(sending);
  await server.kill("SIGKILL");
  server = await startLeeway(dataDir);
  try {
    expect(broken, "kills that left something to be cleaned").toBeGreaterThan(0);
    const numbers = [...made.values()].map(({ version }) => Number(version)).sort((a, b) => a - b);
    expect(numbers).toEqual(numbers.map((_, i) => i + 1));
    const listed = (await (await fetch(`${server.url}/v1/models/churn`)).json()) as {
      readonly versions: number;
    };
    expect(listed.versions).toBe(made.size);
    for (const [number, { version, files }] of made) {
      expect((await register(() => server.url, number)).version, "a repeat after all").toBe(version);
      const [file] = files;
      const stored = readFileSync(
        join(models, "blobs", file?.sha256.slice(0, 2) ?? "", file?.sha256 ?? ""),
        "utf8",
      );
      if (stored !== contentOf(number))
        throw new Error(`version ${version} has other content than it was sent`);
    }
    expect(filesWithin(models).filter((path) => !path.startsWith("blobs/"))).toEqual([]);
    expect(filesWithin(models)).toHaveLength(made.size + 1);
  } finally {
    await server.kill("SIGTERM");
  }
  console.log(`${made.size} versions acknowledged, ${broken} leftovers of uploads cleaned`);
}, 120_000);
