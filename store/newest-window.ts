import type { Transaction } from "./database.ts";

/** End of the newest window that was checked, of a monitor or of all monitors of a model. */
export async function newestWindowEnd(
  reads: Pick<Transaction, "all">,
  { model, monitor }: { readonly model: string; readonly monitor?: string },
): Promise<Date | undefined> {
  const [row] = await reads.all<{ newest: Date | null }>(
    "select max(window_to) as newest from window_results where model = $model and ($monitor = '' or monitor = $monitor)",
    { model, monitor: monitor ?? "" },
  );
  return row?.newest ?? undefined;
}
