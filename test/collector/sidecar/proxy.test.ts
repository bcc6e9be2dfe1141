import { once } from "node:events";
import { Agent, get, type IncomingMessage, request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { proxyBefore, rawCall, rawService, service, until } from "./here.ts";

const POST = "POST /score HTTP/1.1\r\nHost: model.test\r\n";
const JSON_BODY = 'Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{"age":3}';

async function textOf(answer: IncomingMessage): Promise<string> {
  let text = "";
  for await (const part of answer) text += part;
  return text;
}

describe("a call on its way through", () => {
  it("keeps the connections of both sides", async () => {
    const [ours, theirs] = [new Set<unknown>(), new Set<unknown>()];
    const url = await service((asked, answer) => {
      theirs.add(asked.socket);
      answer.end("ok");
    });
    const proxy = await proxyBefore(url);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < 5; i += 1) {
      const [answer] = await once(get(proxy.url, { agent }), "response");
      ours.add(answer.socket);
      await textOf(answer);
    }
    agent.destroy();
    expect([ours.size, theirs.size]).toEqual([1, 1]);
  });

  it("hands on each part of an answer as it comes", async () => {
    let more: (() => void) | undefined;
    const url = await service((_, answer) => {
      answer.write("first");
      more = () => answer.end("second");
    });
    const [answer] = (await once(get((await proxyBefore(url)).url), "response")) as [IncomingMessage];
    const [first] = await once(answer, "data");
    expect(String(first)).toBe("first"); // the service has not sent the rest
    more?.();
    expect(await textOf(answer)).toBe("second");
  });

  it("hands on each part of a request as it comes", async () => {
    const parts: string[] = [];
    const url = await service((asked, answer) => {
      asked.on("data", (part) => parts.push(String(part)));
      asked.on("end", () => answer.end("done"));
    });
    const sent = request((await proxyBefore(url)).url, { method: "POST" });
    sent.write("first");
    await until(() => parts.length === 1); // the caller has not sent the rest
    sent.end("second");
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    expect(await textOf(answer)).toBe("done");
    expect(parts).toEqual(["first", "second"]);
  });

  it("waits as long as the service needs, longer than a connection may be idle", async () => {
    const url = await service((asked, answer) => {
      asked.resume();
      void sleep(2_500).then(() => answer.end("slow"));
    });
    const answer = await fetch((await proxyBefore(url)).url, { method: "POST", body: "{}" });
    expect(await answer.text()).toBe("slow");
  });

  it("lets the service say whether a body is wanted at all", async () => {
    const url = await rawService((socket) => {
      socket.on("data", (data: Buffer) => {
        if (String(data).includes("Expect"))
          socket.write("HTTP/1.1 417 Expectation Failed\r\nContent-Length: 2\r\n\r\nno");
      });
    });
    const said = await rawCall(
      (await proxyBefore(url)).url,
      `${POST}Expect: 100-continue\r\nContent-Length: 9\r\n\r\n`,
    );
    expect(said).toMatch(/^HTTP\/1\.1 417 Expectation Failed\r\n/);
    expect(said).toMatch(/connection: close/i);
    expect(said).not.toContain("100 Continue");
  });

  it("hands on the go-ahead, and then the body", async () => {
    const heard: string[] = [];
    const url = await rawService((socket) => {
      socket.on("data", (data: Buffer) => {
        heard.push(String(data));
        if (heard.length === 1) socket.write("HTTP/1.1 100 Continue\r\n\r\n");
        else socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      });
    });
    const { url: address } = await proxyBefore(url);
    const sent = request(address, {
      method: "POST",
      headers: { expect: "100-continue", "content-length": 9 },
    });
    await once(sent, "continue");
    expect(heard).toHaveLength(1);
    expect(heard[0]).toMatch(/\r\n\r\n$/); // the head alone
    sent.end('{"age":3}');
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    expect([await textOf(answer), heard[1]]).toEqual(["ok", '{"age":3}']);
  });

  it("drops what is meant for one hop only, and what a Connection field names", async () => {
    let seen: readonly string[] = [];
    const url = await service((asked, answer) => {
      seen = asked.rawHeaders;
      answer.writeHead(200, {
        Connection: "X-Internal",
        "X-Internal": "1",
        "X-Kept": "2",
        "Keep-Alive": "timeout=9",
      });
      answer.end("ok");
    });
    const said = await rawCall(
      (await proxyBefore(url, { answerIdHeader: undefined })).url,
      "GET / HTTP/1.1\r\nHost: model.test\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: 5\r\nTE: trailers\r\nX-End: 2\r\n\r\n",
      /ok/,
    );
    expect(seen).toEqual(["Host", "model.test", "X-End", "2"]);
    expect(said).toContain("X-Kept: 2");
    expect(said).not.toContain("X-Internal");
    expect(said).not.toContain("timeout=9");
  });

  it("hands on trailers both ways", async () => {
    let seen: readonly string[] = [];
    const url = await service((asked, answer) => {
      asked.resume().on("end", () => {
        seen = asked.rawTrailers;
        answer.writeHead(200, { Trailer: "X-Sum" });
        answer.write("body");
        answer.addTrailers({ "X-Sum": "7" });
        answer.end();
      });
    });
    const said = await rawCall(
      (await proxyBefore(url)).url,
      `${POST}Transfer-Encoding: chunked\r\nTrailer: X-In\r\n\r\n2\r\n{}\r\n0\r\nX-In: 5\r\n\r\n`,
      /X-Sum: 7/,
    );
    expect(said).toContain("body");
    expect(seen).toEqual(["X-In", "5"]);
  });

  it("answers HTTP/1.0 without chunks, and names the host to the service", async () => {
    let host: string | undefined;
    const url = await service((asked, answer) => {
      host = asked.headers.host;
      answer.write("a");
      answer.end("b");
    });
    const said = await rawCall((await proxyBefore(url)).url, "GET / HTTP/1.0\r\n\r\n");
    expect(said.split("\r\n\r\n")[1]).toBe("ab");
    expect(said).not.toMatch(/transfer-encoding/i);
    expect(host).toBe(new URL(url).host);
  });

  it.each([
    ["websocket", 501],
    ["h2c", 200],
  ])("with an upgrade to %s is answered %i", async (protocol, status) => {
    const url = await service((_, answer) => answer.end("plain"));
    const said = await rawCall(
      (await proxyBefore(url)).url,
      `GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`,
      /plain|does not go through this sidecar/,
    );
    expect(said).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  it("refuses CONNECT in so many words", async () => {
    const url = await service((_, answer) => answer.end());
    const said = await rawCall((await proxyBefore(url)).url, "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n");
    expect(said).toMatch(
      /^HTTP\/1\.1 501 [\s\S]*CONNECT does not go through this sidecar[\s\S]*"code":"invalid-input"/,
    );
  });

  it("does not overtake another of the same connection", async () => {
    const url = await service((asked, answer) => {
      asked.resume();
      void sleep(asked.url === "/slow" ? 100 : 0).then(() => answer.end(`<${asked.url}>`));
    });
    const line = (path: string) => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
    const said = await rawCall((await proxyBefore(url)).url, line("/slow") + line("/quick"), /<\/quick>/);
    expect(said.match(/<[^>]+>/g)).toEqual(["</slow>", "</quick>"]);
  });

  it("is finished when the sidecar is asked to end, and is the last of its connection", async () => {
    let finish: (() => void) | undefined;
    const url = await service((asked, answer) => {
      asked.resume();
      finish = () => answer.end("done");
    });
    const proxy = await proxyBefore(url);
    const said = rawCall(proxy.url, POST + JSON_BODY);
    await until(() => finish !== undefined);
    const closed = proxy.close(5_000);
    await expect(fetch(proxy.url)).rejects.toThrow();
    finish?.();
    expect(await said).toMatch(/connection: close[\s\S]*done/i);
    await closed;
    expect(proxy.calls.map(({ status }) => status)).toEqual([200]);
  });

  it("puts the path of the upstream before its own", async () => {
    const url = await service((asked, answer) => answer.end(asked.url));
    const answer = await fetch(`${(await proxyBefore(`${url}/team/a/`)).url}/score?x=1`);
    expect(await answer.text()).toBe("/team/a/score?x=1");
  });
});

describe("a service that fails", () => {
  it("is answered for with 502 when nobody listens, and the failure is recorded", async () => {
    const proxy = await proxyBefore("http://127.0.0.1:9");
    const said = await rawCall(proxy.url, POST + JSON_BODY, /upstream-failed/);
    expect(said).toMatch(/^HTTP\/1\.1 502 Bad Gateway/);
    expect(said).toContain("the scoring service behind this sidecar did not answer: ECONNREFUSED");
    expect(proxy.calls.map(({ status }) => status)).toEqual([502]);
    expect(proxy.counters.get("requests_5xx")).toBe(1);
  });

  it.each([
    ["says nothing", "", /did not answer: ECONNRESET/],
    ["speaks something else", "SSH-2.0-x\r\n\r\n", /does not begin as an HTTP\/1.1 answer does/],
    [
      "names a field as no field is named",
      "HTTP/1.1 200 OK\r\nX Y: 1\r\nContent-Length: 0\r\n\r\n",
      /cannot be passed on/,
    ],
  ])("by ending after it %s is answered for with 502", async (_, answer, says) => {
    const url = await rawService((socket) => socket.once("data", () => socket.end(answer)));
    const said = await rawCall((await proxyBefore(url)).url, POST + JSON_BODY, /upstream-failed/);
    expect(said).toMatch(/^HTTP\/1\.1 502/);
    expect(said).toMatch(says);
  });

  it("in the middle of an answer is seen to: the answer ends early for the caller too", async () => {
    const url = await rawService((socket) =>
      socket.once("data", () => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")),
    );
    const proxy = await proxyBefore(url);
    const said = await rawCall(proxy.url, POST + JSON_BODY);
    expect(said).toMatch(/\r\n\r\nhalf$/);
    expect(proxy.counters.get("requests_5xx")).toBe(1);
  });

  it("by having closed a kept connection costs nothing: the call is made once more", async () => {
    const heard: string[] = [];
    let connections = 0;
    const url = await rawService((socket) => {
      connections += 1;
      let calls = 0;
      socket.on("data", (data: Buffer) => {
        calls += 1;
        if (calls === 2)
          socket.destroy(); // as a service does whose own limit has just passed
        else {
          heard.push(String(data).split("\r\n\r\n")[1] ?? "");
          socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        }
      });
    });
    const proxy = await proxyBefore(url);
    for (let i = 0; i < 2; i += 1)
      expect(await rawCall(proxy.url, POST + JSON_BODY, /ok$/)).toContain("200 OK");
    expect(heard).toEqual(['{"age":3}', '{"age":3}']);
    expect(connections).toBe(2);
    expect(proxy.counters.get("upstream_retries")).toBe(1);
  });

  it("on a new connection is not asked again: it may have begun to work", async () => {
    let calls = 0;
    const url = await rawService((socket) =>
      socket.on("data", () => {
        calls += 1;
        socket.destroy();
      }),
    );
    expect(await rawCall((await proxyBefore(url)).url, POST + JSON_BODY, /upstream-failed/)).toContain("502");
    expect(calls).toBe(1);
  });

  it("to read on may answer before the body has come", async () => {
    const url = await service((_, answer) => {
      answer.writeHead(413, { connection: "close" }).end("too much");
    });
    const sent = request((await proxyBefore(url)).url, { method: "POST" });
    sent.on("error", () => undefined);
    sent.write(Buffer.alloc(100_000));
    const [answer] = (await once(sent, "response")) as [IncomingMessage];
    expect([answer.statusCode, await textOf(answer)]).toEqual([413, "too much"]);
    sent.end(Buffer.alloc(100_000));
  });
});

describe("a caller who goes away", () => {
  it("takes the call to the service along, and counts as 499", async () => {
    const seen: string[] = [];
    const url = await service((asked, answer) => {
      asked.resume().on("end", () => seen.push("asked"));
      answer.on("close", () => seen.push("gone"));
    });
    const proxy = await proxyBefore(url);
    const sent = request(proxy.url, { method: "POST" });
    sent.on("error", () => undefined);
    sent.end('{"age":3}');
    await until(() => seen.length === 1);
    sent.destroy();
    await until(() => seen.length === 2);
    expect(seen).toEqual(["asked", "gone"]);
    expect(proxy.counters.get("requests_4xx")).toBe(1);
    expect(proxy.calls.map(({ status, response }) => [status, response.state])).toEqual([[499, "cut-off"]]);
  });

  it("does not make the sidecar read what nobody takes", async () => {
    const url = await service((_, answer) => {
      for (let i = 0; i < 200; i += 1) answer.write(Buffer.alloc(100_000));
      answer.end();
    });
    const proxy = await proxyBefore(url);
    const [answer] = (await once(get(proxy.url), "response")) as [IncomingMessage];
    answer.pause();
    await sleep(100);
    const before = process.memoryUsage().arrayBuffers;
    await sleep(300);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(5_000_000);
    let bytes = 0;
    for await (const part of answer) bytes += (part as Buffer).length;
    expect(bytes).toBe(20_000_000);
  });
});
