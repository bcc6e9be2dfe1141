import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { makeFolder, type Served, serve } from "./leeway.ts";

const ROOT = join(import.meta.dirname, "..", "..");
const PYTHON = spawnSync("python3", ["-c", "import sys; sys.exit(sys.version_info < (3, 9))"]).status === 0;
const NOBODY = "http://127.0.0.1:9";
/** What goes wrong is gathered in `errors`; `say` prints what the test reads. */
const PREAMBLE = `
import json, sys, time
from leeway_collector import BasicCorrelationContext, Collector
errors = []
def collector(name, **more):
    return Collector(name=name, on_error=errors.append, **more)
def say(*things):
    print(json.dumps(things, default=str))
`;

const folder = makeFolder();
let server: Served;
let programs = 0;

async function query(sql: string): Promise<unknown[][]> {
  const response = await fetch(`${server.url}/v1/query`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ sql }),
  });
  return ((await response.json()) as { readonly rows?: unknown[][] }).rows ?? [];
}

async function stored(sql: string, expected: unknown[][]): Promise<void> {
  await vi.waitFor(async () => expect(await query(sql)).toEqual(expected), {
    timeout: 10_000,
    interval: 100,
  });
}

/** Runs a program beside the client; what it said, line by line. */
async function python(program: string, env: Readonly<Record<string, string>> = {}): Promise<unknown[][]> {
  const file = join(folder.path, `program-${++programs}.py`);
  writeFileSync(file, program);
  const child = spawn("python3", ["-W", "error", file], {
    env: {
      PATH: process.env.PATH,
      LEEWAY_URL: server.url,
      LEEWAY_BATCH_SECONDS: "0.05",
      PYTHONDONTWRITEBYTECODE: "1",
      ...env,
    },
  });
  let output = "";
  let problems = "";
  child.stdout.on("data", (part: Buffer) => {
    output += part;
  });
  child.stderr.on("data", (part: Buffer) => {
    problems += part;
  });
  const [code] = (await once(child, "close")) as [number | null];
  expect({ code, problems }).toEqual({ code: 0, problems: "" });
  return output
    .split("\n")
    .filter((line) => line.startsWith("["))
    .map((line) => JSON.parse(line) as unknown[]);
}

if (!PYTHON) {
  describe("the Python client", () => {
    it.skip("is not tested: there is no python3 of 3.9 or newer on this machine");
  });
}

describe.runIf(PYTHON)("the Python client", () => {
  beforeAll(async () => {
    copyFileSync(join(ROOT, "clients/python/leeway_collector.py"), join(folder.path, "leeway_collector.py"));
    server = await serve(["--data-dir", join(folder.path, "data")]);
  });
  afterAll(async () => {
    await server?.stop();
    folder.remove();
  });

  it("runs as docs/clients.md has it, and sends at the end of the process what waits", async () => {
    const guide = readFileSync(join(ROOT, "docs/clients.md"), "utf8");
    const [, example = ""] = /```python\n([\s\S]*?)```/.exec(guide) ?? [];
    const [, command = ""] = /```sh\n([\s\S]*?)python3 score\.py\n```/.exec(guide) ?? [];
    const env = Object.fromEntries(
      [...command.matchAll(/(LEEWAY_\w+)=(\S+)/g)].map(([, name, value]) => [name, value]),
    );
    await python(example, { ...env, LEEWAY_URL: server.url });
    await stored("select version, row, in_age, in_plan, out_score, latency_ms >= 0 from churn order by row", [
      ["7", 0, 42, "gold", 0.42, true],
      ["7", 1, 17, "basic", 0.17, true],
    ]);
    expect(await query("select count(distinct record_id) from churn")).toEqual([[1]]);
  });

  it("joins inputs and outputs by context, whichever id it has, and counts", async () => {
    const said = await python(
      `${PREAMBLE}
inputs, outputs, both = collector("model_inputs"), collector("model_outputs"), collector("model_inputs_outputs", outputs=["score"])
context = inputs.collect([{"a": 1}, {"a": 2}], BasicCorrelationContext(id="mine"))
other = inputs.collect({"a": 3})
assert outputs.collect([{"score": 0.1}, {"score": 0.2}, {"score": 0.3}], context) is context
outputs.collect([0.5], other)
both.collect([{"a": 5, "score": 1}], BasicCorrelationContext("both"))
outputs.collect([{"score": 9}], BasicCorrelationContext("alone"))
collector("features").collect({"x": 1}, BasicCorrelationContext("other"))
assert inputs.flush(5)
say(context.get_id(), other.get_id(), context.is_success(), inputs.stats, [str(error) for error in errors])
`,
      { LEEWAY_MODEL: "joined", LEEWAY_DEPLOYMENT: "blue" },
    );
    const [[mine, other, taken, stats, errors] = []] = said;
    expect([mine, taken, errors]).toEqual(["mine", true, []]);
    expect(stats).toEqual({
      captured: 6,
      stored: 6,
      duplicates: 0,
      rejected: 0,
      sampled_out: 0,
      dropped: 0,
      failures: 0,
      waiting: 0,
    });
    await stored(
      "select record_id, row, deployment, in_a, out_score, out_output from joined order by coalesce(in_a, 9), row desc",
      [
        ["mine", 0, "blue", 1, 0.1, null],
        ["mine", 1, "blue", 2, 0.2, null],
        [other, 0, "blue", 3, null, 0.5],
        ["both", 0, "blue", 5, 1, null],
        ["mine", 2, "blue", null, 0.3, null],
        ["alone", 0, "blue", null, 9, null],
      ],
    );
    await stored(`select in_x from "joined.features"`, [[1]]);
  });

  it("takes DataFrames, Series and arrays where pandas is there", async (context) => {
    const said = await python(
      `${PREAMBLE}
try:
    import numpy, pandas
except ImportError:
    say("no pandas")
    sys.exit()
inputs, outputs = collector("model_inputs"), collector("model_outputs")
frame = pandas.DataFrame({"n": [1, 2], "x": [0.5, float("nan")], "c": pandas.Categorical(["a", "b"]), "b": [True, False],
  "t": pandas.to_datetime(["2026-01-01", None]), "o": [None, pandas.NA], 7: numpy.array([1, 2], dtype="int8")})
outputs.collect(pandas.DataFrame({"score": [0.25, 0.75]}), inputs.collect(frame))
outputs.collect(pandas.Series([1, 0], name="label"), inputs.collect(frame[["n"]] + 2))
outputs.collect(numpy.array([[0.1, 0.9]]), inputs.collect({"n": numpy.int64(5), "small": numpy.arange(3), "image": numpy.zeros((20, 20))}))
inputs.flush(5)
say("pandas", inputs.stats, [str(error) for error in errors])
`,
      { LEEWAY_MODEL: "frames" },
    );
    if (said[0]?.[0] === "no pandas") context.skip("pandas is not installed");
    expect(said).toEqual([["pandas", expect.objectContaining({ captured: 5, stored: 5 }), []]]);
    await stored(
      "select in_n, in_x, in_c, in_b, in_t, in_7, out_score, out_label, out_output_1 from frames order by in_n",
      [
        [1, 0.5, "a", true, "2026-01-01T00:00:00", 1, 0.25, null, null],
        [2, null, "b", false, null, 2, 0.75, null, null],
        [3, null, null, null, null, null, null, 1, null],
        [4, null, null, null, null, null, null, 0, null],
        [5, null, null, null, null, null, null, null, 0.9],
      ],
    );
    expect(
      await query("select in_small::varchar, in_image ->> '$.shape' from frames where in_n = 5"),
    ).toEqual([["[0, 1, 2]", "[20,20]"]]);
  });

  it("never raises, whatever it is given and whatever on_error does", async () => {
    const said = await python(
      `${PREAMBLE}
class Hostile:
    def items(self): raise RuntimeError("hostile")
    columns = []
class Odd:
    def __str__(self): return "odd"
round = {}; round["self"] = round
inputs = collector("model_inputs")
for data in [None, object(), "text", Hostile(), round, {"a": round}, iter([]), Collector, float("nan").real.__class__]:
    context = inputs.collect(data)
    assert not context.is_success() and context.get_message() and context.get_id()
inputs.collect([{}, {"odd": Odd(), "set": {1}, "bytes": b"x", "nan": float("inf"), 5: 6, "big": 10**30}], object())
def fails(error): raise ValueError("in on_error")
import logging; logging.disable(logging.CRITICAL)
Collector(name="model_inputs", on_error=fails).collect(None)
assert inputs.flush(5)
say(len(errors), inputs.stats)
`,
      { LEEWAY_MODEL: "hostile" },
    );
    expect(said).toEqual([[9, expect.objectContaining({ captured: 2, stored: 2, rejected: 0, dropped: 0 })]]);
  });

  it("holds no more than it may while nobody answers, counts the rest and lets the process end", async () => {
    const said = await python(
      `${PREAMBLE}
inputs, outputs = collector("model_inputs"), collector("model_outputs")
for i in range(2000):
    context = inputs.collect({"i": i, "text": "x" * 50})
    if i % 2: outputs.collect({"o": i}, context)
stats = inputs.stats
both = Collector(name="model_inputs_outputs", model="both", on_error=lambda error: None)
for i in range(2000): both.collect({"i": i})
assert 20 < both.stats["waiting"] < 700 and both.stats["waiting"] + both.stats["dropped"] == 2000
say(stats, [type(error).__name__ for error in errors if isinstance(error, MemoryError)])
assert not inputs.flush(0.1)
`,
      { LEEWAY_URL: NOBODY, LEEWAY_MEMORY_BYTES: "50000", LEEWAY_EXIT_SECONDS: "0.1" },
    );
    const [[stats, drops]] = said as [[Record<string, number>, string[]]];
    expect(drops).toEqual(["MemoryError"]);
    expect(stats).toMatchObject({ captured: 2_000, stored: 0 });
    expect(Number(stats.dropped) + Number(stats.waiting)).toBe(2_000);
    expect(stats.waiting).toBeGreaterThan(20);
    expect(stats.waiting).toBeLessThan(700);
  });

  it("sends again what failed, with the same ids, also when the connection breaks", async () => {
    const requests: string[][] = [];
    const http = createServer(async (request, response) => {
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      const lines = gunzipSync(Buffer.concat(parts)).toString().trim().split("\n");
      requests.push([
        String(request.headers.authorization),
        ...lines.map((line) => (JSON.parse(line) as { readonly id: string }).id),
      ]);
      if (requests.length === 1) return response.writeHead(503, { "retry-after": "0" }).end("busy");
      if (requests.length === 2) return request.socket.destroy();
      return response
        .writeHead(202)
        .end(JSON.stringify({ stored: 1, duplicates: 0, rejected: 0, sampled_out: 1, errors: [] }));
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => {
      http.closeAllConnections();
      http.close();
    });
    const said = await python(
      `${PREAMBLE}
both = collector("model_inputs_outputs")
both.collect({"a": 1}, BasicCorrelationContext("one"))
both.collect({"a": 1}, BasicCorrelationContext("two"))
assert both.flush(10)
say(both.stats, [str(error) for error in errors])
`,
      {
        LEEWAY_URL: `http://127.0.0.1:${(http.address() as AddressInfo).port}`,
        LEEWAY_API_KEY: "secret-key",
        LEEWAY_BATCH_SECONDS: "5",
      },
    );
    expect(requests).toEqual(Array.from({ length: 3 }, () => ["Bearer secret-key", "one", "two"]));
    expect(said).toEqual([
      [
        {
          captured: 2,
          stored: 1,
          duplicates: 0,
          rejected: 0,
          sampled_out: 1,
          dropped: 0,
          failures: 2,
          waiting: 0,
        },
        [expect.stringMatching(/does not take records, which wait: 503 busy/)],
      ],
    ]);
    expect(JSON.stringify(said)).not.toContain("secret-key");
  });

  it("sends what compresses as no honest body does as it is, and counts what is no JSON", async () => {
    const said = await python(`${PREAMBLE}
inputs = collector("model_inputs", model="dense")
collector("model_outputs", model="dense")
inputs.collect([{"x": 1}])
inputs.collect([{"image": [0] * 1_000_000}])
inputs.collect([{"x": 10 ** 5000}])
inputs.flush()
say(inputs.stats)
`);
    expect(said).toEqual([[expect.objectContaining({ captured: 3, stored: 2, dropped: 1, rejected: 0 })]]);
  });

  it("sends inputs alone when their outputs do not come, and says what Leeway will not take", async () => {
    const said = await python(
      `${PREAMBLE}
inputs, outputs = collector("model_inputs", version="not a version"), collector("model_outputs", version="not a version")
inputs.collect({"a": 1})
late = collector("model_inputs"); collector("model_outputs")
late.collect({"late": 1})
until = time.monotonic() + 10
while (late.stats["stored"], inputs.stats["rejected"]) != (1, 1) and time.monotonic() < until: time.sleep(0.02)
say(inputs.stats["rejected"], late.stats, [str(error) for error in errors])
`,
      { LEEWAY_MODEL: "late", LEEWAY_JOIN_SECONDS: "0.05" },
    );
    expect(said).toEqual([
      [
        1,
        expect.objectContaining({ captured: 1, stored: 1 }),
        [expect.stringMatching(/rejected 1 records.*version/)],
      ],
    ]);
    await stored("select in_late from late", [[1]]);
  });

  it("is its own in a forked worker: nothing is lost or sent by both", async () => {
    const said = await python(
      `${PREAMBLE}
import os
both = collector("model_inputs_outputs")
both.collect({"who": "parent"})
child = os.fork()
if child == 0:
    both.collect({"who": "child"})
    ok = both.flush(5) and both.stats["stored"] == 1
    os._exit(0 if ok else 1)
_, status = os.waitpid(child, 0)
assert both.flush(5)
say(status, both.stats)
`,
      { LEEWAY_MODEL: "forked", LEEWAY_BATCH_SECONDS: "2" },
    );
    expect(said).toEqual([[0, expect.objectContaining({ captured: 1, stored: 1, duplicates: 0 })]]);
    await stored("select in_who from forked order by all", [["child"], ["parent"]]);
  });
});
