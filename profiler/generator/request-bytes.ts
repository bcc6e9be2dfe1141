import type { LoadTarget } from "./messages.ts";

/**
 * The bytes of each request, made once: nothing is put together while the clock runs.
 *
 * @throws RangeError when a header or the path holds a line break.
 */
export function requestBytes(target: LoadTarget): Buffer[] {
  const { host } = new URL(target.origin);
  const given = new Set(Object.keys(target.headers).map((name) => name.toLowerCase()));
  const lines = [
    `${target.method} ${target.path} HTTP/1.1`,
    ...(given.has("host") ? [] : [`Host: ${host}`]),
    ...(given.has("user-agent") ? [] : ["User-Agent: leeway-profiler"]),
    ...(given.has("accept") ? [] : ["Accept: */*"]),
    ...Object.entries(target.headers).map(([name, value]) => `${name}: ${value}`),
  ];
  const broken = lines.find((line) => /[\r\n\0]/.test(line));
  if (broken !== undefined) throw new RangeError(`a line break in the request: ${JSON.stringify(broken)}`);
  return target.payloads.map((body) => {
    const bodiless = body.length === 0 && (target.method === "GET" || target.method === "HEAD");
    const length = bodiless ? [] : [`Content-Length: ${body.length}`];
    return Buffer.concat([Buffer.from(`${[...lines, ...length].join("\r\n")}\r\n\r\n`, "latin1"), body]);
  });
}
