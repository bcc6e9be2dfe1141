import { describe, expect, it } from "vitest";
import { refusal } from "../../events/private-address.ts";

describe("private addresses", () => {
  it.each([
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.1.2.3",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "100.64.0.1",
    "::1",
    "::",
    "fd12:3456::1",
    "::ffff:127.0.0.1",
    "::ffff:a00:1",
    "64:ff9b::c0a8:101",
    "2002:7f00:1::",
  ])("%s is refused unless allowed", (address) => {
    expect(refusal(address, "refuse")).toMatch(/is a private address/);
    expect(refusal(address, "allow")).toBeUndefined();
  });

  it.each([
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "fe80::1",
    "224.0.0.1",
    "255.255.255.255",
    "ff02::1",
  ])("%s is never a receiver", (address) => {
    expect(refusal(address, "allow")).toMatch(/link-local or multicast/);
    expect(refusal(address, "refuse")).toMatch(/link-local or multicast/);
  });

  it.each(["93.184.216.34", "172.32.0.1", "100.128.0.1", "2606:2800:220:1::1", "::ffff:8.8.8.8"])(
    "%s is anybody's",
    (address) => {
      expect(refusal(address, "refuse")).toBeUndefined();
    },
  );

  it("refuses what is no address", () => {
    expect(refusal("localhost", "allow")).toBe("localhost is not an IP address");
  });
});
