/**
 * Whether calls to a path are recorded.
 *
 * @param only - Patterns of which one must match, where `*` stands for anything; empty for all.
 * @param skip - Patterns of which none may match.
 * @example
 * pathFilter({ only: ["/v2/models/*"], skip: ["*\/ready"] })("/v2/models/m/infer?x=1"); // true
 */
export function pathFilter({
  only,
  skip,
}: {
  readonly only: readonly string[];
  readonly skip: readonly string[];
}): (url: string) => boolean {
  const [wanted, unwanted] = [only.map(toRegExp), skip.map(toRegExp)];
  if (wanted.length === 0 && unwanted.length === 0) return () => true;
  return (url) => {
    const query = url.indexOf("?");
    const path = query === -1 ? url : url.slice(0, query);
    const matches = (pattern: RegExp) => pattern.test(path);
    return (wanted.length === 0 || wanted.some(matches)) && !unwanted.some(matches);
  };
}

function toRegExp(pattern: string): RegExp {
  const parts = pattern.split("*").map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "s");
}
