import { describe, expect, it } from "vitest";
import { maskUrl, originOf, redact, secretsOf } from "../../events/redact.ts";

describe("what may be shown of an address", () => {
  it.each([
    { url: "https://hooks.example.org/leeway", shown: "https://hooks.example.org/leeway" },
    { url: "https://ann:pa%24s@hooks.example.org:8443/a", shown: "https://***:***@hooks.example.org:8443/a" },
    {
      url: "https://hooks.example.org/a?token=abc&b=1",
      shown: "https://hooks.example.org/a?token=***&b=***",
    },
    {
      url: "https://hooks.chat.example/services/T0001/XXXXXXXXXXXXXXXXXXXXXXXX",
      shown: "https://hooks.chat.example/services/T0001/***",
    },
    { url: "not an address", shown: "***" },
  ])("$shown", ({ url, shown }) => {
    expect(maskUrl(url)).toBe(shown);
  });

  it("in errors is scheme, host and port alone", () => {
    expect(originOf("https://ann:secret@hooks.example.org:8443/path?x=1")).toBe(
      "https://hooks.example.org:8443",
    );
  });

  it("is never the password, in any form in which it may come back", () => {
    const secrets = secretsOf("smtp://ann:p%40ss%2Fword@mail.example.org");
    const text = ["p@ss/word", "p%40ss%2Fword", base64("p@ss/word"), base64("\u0000ann\u0000p@ss/word")].join(
      " ",
    );
    expect(redact(text, secrets)).toBe("*** *** *** ***");
  });
});

function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}
