/**
 * Asks again and again until the condition holds. The limit only ends a test that would never end;
 * nothing is measured by it.
 */
export async function waitFor(
  what: string,
  condition: () => Promise<boolean>,
  { limitMs = 60_000, everyMs = 100 }: { readonly limitMs?: number; readonly everyMs?: number } = {},
): Promise<void> {
  const end = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${limitMs / 1_000} s in vain for ${what}`);
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}
