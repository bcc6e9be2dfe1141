import { BlockList, isIP } from "node:net";

/** May messages go to loopback and private networks? A service that listens on loopback itself allows it. */
export type PrivateAddresses = "allow" | "refuse";

const LOCAL = blockList([
  ["0.0.0.0", 8, "ipv4"], // this host
  ["10.0.0.0", 8, "ipv4"],
  ["100.64.0.0", 10, "ipv4"], // carrier-grade NAT
  ["127.0.0.0", 8, "ipv4"],
  ["172.16.0.0", 12, "ipv4"],
  ["192.0.0.0", 24, "ipv4"],
  ["192.168.0.0", 16, "ipv4"],
  ["198.18.0.0", 15, "ipv4"], // benchmarking
  ["::", 127, "ipv6"], // unspecified and loopback
  ["fc00::", 7, "ipv6"], // unique local
  ["fec0::", 10, "ipv6"], // site local
]);

/** Never a receiver of webhooks: cloud metadata services live on link-local addresses. */
const NEVER = blockList([
  ["169.254.0.0", 16, "ipv4"],
  ["224.0.0.0", 4, "ipv4"],
  ["240.0.0.0", 4, "ipv4"],
  ["fe80::", 10, "ipv6"],
  ["ff00::", 8, "ipv6"],
]);

/**
 * Why no connection to the address may be made; undefined when it may.
 *
 * @param address - An IPv4 or IPv6 address. Addresses that carry an IPv4 address (mapped, NAT64, 6to4) count as that one.
 */
export function refusal(address: string, privateAddresses: PrivateAddresses): string | undefined {
  const inner = embeddedIpv4(address) ?? address;
  const family = isIP(inner) === 6 ? "ipv6" : "ipv4";
  if (isIP(inner) === 0) return `${address} is not an IP address`;
  if (NEVER.check(inner, family)) return `${address} is a link-local or multicast address`;
  if (privateAddresses === "refuse" && LOCAL.check(inner, family)) return `${address} is a private address`;
  return undefined;
}

/** The IPv4 address inside an IPv6 one, as `::ffff:10.0.0.1`, `64:ff9b::a00:1` and `2002:a00:1::` hold it. */
function embeddedIpv4(address: string): string | undefined {
  if (isIP(address) !== 6) return undefined;
  const groups = expand(address);
  const [first, second] = groups;
  const zeros = (from: number, to: number) => groups.slice(from, to).every((group) => group === 0);
  if (zeros(0, 5) && groups[5] === 0xffff) return dotted(groups.slice(6));
  if (first === 0x64 && second === 0xff9b && zeros(2, 6)) return dotted(groups.slice(6));
  if (first === 0x2002) return dotted(groups.slice(1, 3));
  return undefined;
}

/** The eight groups of an IPv6 address, as `URL` writes it (no zone, no dots). */
function expand(address: string): number[] {
  const text = new URL(`http://[${address.split("%")[0]}]/`).hostname.slice(1, -1);
  const [head = "", tail] = text.split("::");
  const numbers = (part: string) =>
    part === "" ? [] : part.split(":").map((group) => Number.parseInt(group, 16));
  const before = numbers(head);
  const after = tail === undefined ? [] : numbers(tail);
  return [...before, ...new Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function dotted([high = 0, low = 0]: readonly number[]): string {
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join(".");
}

function blockList(subnets: readonly (readonly [string, number, "ipv4" | "ipv6"])[]): BlockList {
  const list = new BlockList();
  for (const [net, prefix, family] of subnets) list.addSubnet(net, prefix, family);
  return list;
}
