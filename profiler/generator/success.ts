import type { SuccessRule } from "./messages.ts";

/** Whether an answer counts as good. */
export type Judge = (answer: { readonly status: number; readonly body: string }) => "ok" | "failed";

export function judgeOf({ statuses, body }: SuccessRule): Judge {
  const pattern = body === undefined ? undefined : new RegExp(body);
  return (answer) => {
    const known = statuses.some(([from, to]) => answer.status >= from && answer.status <= to);
    return known && (pattern?.test(answer.body) ?? true) ? "ok" : "failed";
  };
}
