import { describe, expect, it } from "vitest";
import { profileRequestOf, type RunFlags } from "../../app/profile-flags.ts";

const flags: RunFlags = {
  command: "serve",
  threads: "1",
  header: [],
  rows: "object",
  expectStatus: "200-299",
  timeout: "10",
  readyTimeout: "60",
  rate: "100",
  slo: "p99=50ms",
  errors: "0.001",
  arrivals: "poisson",
  maxRequests: "1000000",
  seed: "1",
};
const urlOnly = (url: string) => ({ url, command: undefined });

/** Flags as the command line gives them: those that are absent are not there. */
function withFlags(change: Readonly<Record<string, unknown>>): RunFlags {
  const all = Object.entries({ ...flags, ...change }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(all) as unknown as RunFlags;
}

describe("the flags of profile run", () => {
  it.each([
    [{ url: "http://127.0.0.1/" }, /say what to profile/],
    [urlOnly("ftp://127.0.0.1"), /expected http or https/],
    [urlOnly("http://me:secret@127.0.0.1/"), /--header/],
    [urlOnly("127.0.0.1:80"), /127.0.0.1:80/],
    [{ rate: "0" }, /--rate 0: expected a number from 0.1/],
    [{ rate: "" }, /--rate/],
    [{ slo: "50ms" }, /--slo 50ms.*p99=50ms/],
    [{ timeout: "0.04" }, /--timeout 0.04/],
    [{ slo: "p99=20s" }, /shorter than the objective/],
    [{ header: ["s3cret"] }, /name:value/],
    [{ header: ["a: b\r\nc: d"] }, /name:value/],
    [{ expectStatus: "ok" }, /200-299,304/],
    [{ expectBody: "(" }, /--expect-body/],
    [{ path: "score" }, /begins with/],
    [{ ready: "ping" }, /begins with/],
    [{ method: "FETCH" }, /--method FETCH/],
    [{ maxCpu: "0" }, /--max-cpu/],
    [{ budget: "1" }, /--budget 1: expected a number from 10/],
  ] as const)("%j are refused", (change, message) => {
    const act = () => profileRequestOf(withFlags(change));
    expect(act).toThrow(message);
    expect(act).not.toThrow(/secret|s3cret/);
  });

  it("take path and query from the address", () => {
    const { candidate, load } = profileRequestOf(withFlags(urlOnly("http://127.0.0.1:81/a/b?c=d")));
    expect(candidate).toEqual({ kind: "url", origin: "http://127.0.0.1:81" });
    expect(load).toMatchObject({ method: "GET", path: "/a/b?c=d" });
  });

  it("say what is good, and how long it may take", () => {
    const { load, mode, budgetMs } = profileRequestOf({
      ...flags,
      expectStatus: "200, 404-410",
      quick: true,
    });
    expect(load.success.statuses).toEqual([
      [200, 200],
      [404, 410],
    ]);
    expect([mode, budgetMs]).toEqual(["quick", 45_000]);
  });
});
