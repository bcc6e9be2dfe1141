import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { built } from "../built-program.ts";
import { leeway, makeFolder, type Served, serve } from "./leeway.ts";

const folder = makeFolder();
const file = (...names: readonly string[]) => join(folder.path, ...names);
let server: Served;

beforeAll(async () => {
  server = await serve(["--data-dir", file("data"), "--log-level", "info"]);
  mkdirSync(file("model/weights"), { recursive: true });
  writeFileSync(file("model/model.bin"), "a model");
  writeFileSync(file("model/weights/layer 1.bin"), "x".repeat(100_000));
  writeFileSync(file("requirements.txt"), "scikit-learn==1.7.2\n");
  writeFileSync(file("train.csv"), "a,b\n1,2\n");
}, 60_000);

afterAll(async () => {
  await server.stop();
  folder.remove();
});

/**
 * A proxy that breaks its first connections: each after so many bytes of the request, or when the answer comes. Later ones
 * it leaves whole.
 */
async function startCutting(to: string, cuts: readonly (number | "before the answer")[]) {
  const { hostname, port } = new URL(to);
  let connections = 0;
  const proxy = createServer((client) => {
    const cut = cuts[connections++];
    const upstream = connect(Number(port), hostname);
    let bytes = 0;
    const end = () => {
      client.destroy();
      upstream.destroy();
    };
    for (const socket of [client, upstream]) socket.on("error", end).on("close", end);
    client.on("data", (part) => {
      bytes += part.length;
      if (typeof cut === "number" && bytes > cut) end();
      else upstream.write(part);
    });
    upstream.on("data", (part) => {
      if (cut === "before the answer") end();
      else client.write(part);
    });
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  return {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    connections: () => connections,
    close: () => new Promise((resolve) => proxy.close(resolve)),
  };
}

const run = (...args: readonly string[]) =>
  leeway(["model", ...args], { env: { LEEWAY_URL: server.url }, cwd: folder.path });
const json = async (...args: readonly string[]) => {
  const { code, stdout, stderr } = await run(...args, "--json");
  expect([code, stderr.replaceAll(/^(sending|fetching) .*\n/gm, "")]).toEqual([0, ""]);
  return JSON.parse(stdout);
};

describe("leeway model", { timeout: 60_000 }, () => {
  it("registers a folder with everything that is said of it, and fetches it again", async () => {
    const registered = await json(
      ...["register", "churn", "model", "--environment", "requirements.txt", "--dataset", "train.csv"],
      ...["--tag", "env=prod", "--tag", "team=growth", "--property", "auc=0.9", "--run", "17", "--by", "ann"],
      ...[
        "--no-git",
        "--why",
        "monthly",
        "--description",
        "more trees",
        "--feature-names",
        "a,b",
        "--alias",
        "champion",
      ],
    );
    expect(registered).toMatchObject({
      model: "churn",
      version: "1",
      tags: { env: "prod", team: "growth" },
      properties: { auc: "0.9" },
      registered_by: "ann",
      why: "monthly",
      aliases: ["champion"],
      signature: { feature_names: ["a", "b"] },
      lineage: {
        run_id: "17",
        environment_file: "requirements.txt",
        // sha256sum train.csv
        dataset_hash: "sha256:492d5ea496056f1a6a6592241032fab764c321596317930b4fa0e1e8bc3b7470",
      },
      files: [{ path: "model.bin" }, { path: "requirements.txt" }, { path: "weights/layer 1.bin" }],
    });
    const fetched = await run("download", "churn@champion", "--to", "got");
    expect(fetched).toMatchObject({
      code: 0,
      stdout: "got/model.bin\ngot/requirements.txt\ngot/weights/layer 1.bin\n",
    });
    expect(readFileSync(file("got/weights/layer 1.bin"), "utf8")).toBe("x".repeat(100_000));
    expect(fetched.stderr).toMatch(/^fetching churn:1 100 % weights\/layer 1\.bin$/m);
    writeFileSync(file("got/model.bin"), "changed!");
    expect((await run("download", "churn:1", "--to", "got", "--file", "model.bin")).code).toBe(0);
    expect(readFileSync(file("got/model.bin"), "utf8")).toBe("a model");
  });

  it("goes on with a file that broke off, and takes nothing that is not what was registered", async () => {
    const weights = Buffer.from("x".repeat(100_000));
    const name = `weights/layer 1.bin.${createHash("sha256").update(weights).digest("hex").slice(0, 12)}.partial`;
    const download = () => run("download", "churn:1", "--to", "again", "--file", "weights/layer 1.bin");
    mkdirSync(file("again/weights"), { recursive: true });
    writeFileSync(file("again", name), "y".repeat(60_000)); // that it went on with these shows in the hash
    expect(await download()).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("its SHA-256 differs"),
    });
    writeFileSync(file("again", name), weights.subarray(0, 60_000));
    expect((await download()).code).toBe(0);
    expect(readFileSync(file("again/weights/layer 1.bin")).equals(weights)).toBe(true);
    expect(readdirSync(file("again/weights"))).toEqual(["layer 1.bin"]);
  });

  it("asks git where the files are from, and leaves passwords out", async () => {
    const git = (...args: readonly string[]) =>
      execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@example.org", ...args], {
        cwd: file("repository"),
      });
    mkdirSync(file("repository"));
    git("init", "-q", "-b", "trunk");
    writeFileSync(file("repository/train.py"), "1");
    git("add", "train.py");
    git("commit", "-qm", "first");
    git("remote", "add", "origin", "https://ann:secret@example.org/churn.git");
    writeFileSync(file("repository/model.bin"), "a model that git does not know");
    const commit = git("rev-parse", "HEAD").toString().trim();
    const { lineage } = await json("register", "from-git", "repository/model.bin");
    expect(lineage.git).toEqual({
      commit,
      branch: "trunk",
      repository: "https://example.org/churn.git",
      dirty: false,
    });
    writeFileSync(file("repository/train.py"), "2");
    expect((await json("register", "from-git", "repository/model.bin")).lineage.git.dirty).toBe(true);
    const told = await json(
      "register",
      "from-git",
      "repository/model.bin",
      "--git-commit",
      "abc",
      "--git-branch",
      "b",
    );
    expect(told.lineage.git).toEqual({
      commit: "abc",
      branch: "b",
      repository: "https://example.org/churn.git",
    });
  });

  it("lists, searches, tags, moves aliases and tells their history", async () => {
    for (const description of ["first", "second"]) {
      const form = new FormData();
      for (const [name, value] of Object.entries({ name: "fraud", description })) form.append(name, value);
      form.append("file", new Blob(["a model"]), "model.bin");
      await fetch(`${server.url}/v1/models`, { method: "POST", body: form });
    }
    expect(
      (await run("alias", "set", "fraud", "champion", "1", "--why", "the first", "--by", "ann")).stdout,
    ).toMatch(/^fraud@champion is 1 since .* {2}ann: the first\n$/);
    await run("alias", "set", "fraud", "champion", "fraud:2", "--why", "better");
    const { changes } = await json("alias", "history", "fraud", "champion");
    expect(changes).toMatchObject([
      { version: "2", previous: "1", why: "better" },
      { version: "1", previous: null, why: "the first" },
    ]);
    const then = changes[1].changed_at;
    expect(await json("alias", "show", "fraud", "champion", "--at", then)).toMatchObject({ version: "1" });
    expect((await run("tag", "fraud:2", "reviewed=yes")).stdout).toBe("tags of fraud:2: reviewed=yes\n");
    expect((await json("list", "--search", "tag.reviewed = yes")).models).toMatchObject([{ name: "fraud" }]);
    expect((await json("list", "fraud", "--search", "second")).versions).toMatchObject([{ version: "2" }]);
    expect((await run("list")).stdout).toMatch(/^fraud {2}2 versions, newest 2 {2}@champion 2$/m);
    expect((await run("show", "fraud:2")).stdout).toMatch(
      /about +second[\s\S]*tags +reviewed=yes[\s\S]*model\.bin {2}7 bytes/,
    );
    expect((await run("delete", "fraud:1")).stdout).toBe("fraud:1 is deleted\n");
    expect((await run("alias", "delete", "fraud", "champion", "--why", "over")).code).toBe(0);
  });

  it.each([
    [["register", "churn", "none.bin"], 1, "none.bin"],
    [["register", "churn"], 2, "missing required argument"],
    [["register", "churn", "model/model.bin", "--tag", "env"], 2, "--tag env: expected KEY=VALUE"],
    [["show", "churn:v1"], 2, "expected NAME, NAME:VERSION or NAME@ALIAS"],
    [["delete", "churn"], 2, "say which version"],
    [["delete", "churn:1"], 1, 'alias "champion" points to it'],
    [["alias", "set", "churn", "champion", "1"], 2, "--why"],
  ])("%j ends with %i and says %s", async (args, code, says) => {
    const ended = await run(...args);
    expect([ended.code, ended.stderr]).toEqual([code, expect.stringContaining(says)]);
  });

  it("ends quietly when nobody reads on", () => {
    const program = `"${process.execPath}" "${built("app/cli.ts")}"`;
    const { status, stderr } = spawnSync(
      "bash",
      ["-c", `set -o pipefail; ${program} model register --help | true`],
      {
        encoding: "utf8",
      },
    );
    expect([status, stderr]).toEqual([0, ""]);
  });

  it("is sent again when the connection breaks in the middle, also after it was registered, and is there once", async () => {
    writeFileSync(file("large.bin"), "0123456789".repeat(200_000));
    const proxy = await startCutting(server.url, [700_000, "before the answer"]);
    const { code, stdout } = await leeway(["model", "register", "cut", "large.bin", "--json"], {
      env: { LEEWAY_URL: proxy.url },
      cwd: folder.path,
    });
    await proxy.close();
    expect([code, JSON.parse(stdout).version, proxy.connections()]).toEqual([0, "1", 3]);
    expect(await json("show", "cut")).toMatchObject({ versions: 1 });
  });

  it("registers once what is repeated with the same key", async () => {
    const first = await json("register", "keyed", "model/model.bin", "--key", "k-1");
    const again = await json("register", "keyed", "model/model.bin", "--key", "k-1");
    expect([first.version, again.version]).toEqual(["1", "1"]);
  });
});
