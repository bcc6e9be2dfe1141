import { z } from "zod";
import { type ColumnType, columnType } from "./drift-result.ts";

/**
 * Types to take instead of those found in a file, as one text: column=type, separated by commas.
 *
 * @example
 * columnTypesText.parse("weekday=categorical,id=categorical"); // { weekday: "categorical", id: "categorical" }
 */
export const columnTypesText = z
  .string()
  .transform((list, context): Readonly<Record<string, ColumnType>> => {
    const types = list.split(",").map((pair): readonly [string, ColumnType] => {
      const at = pair.lastIndexOf("="); // a name may hold one itself
      const type = columnType.safeParse(pair.slice(at + 1).trim());
      if (at > 0 && type.success) return [pair.slice(0, at).trim(), type.data];
      context.addIssue(
        `"${pair}" is not column=type, with a type of ${columnType.options.join(", ")}, such as weekday=categorical`,
      );
      return ["", "numeric"];
    });
    return Object.fromEntries(types);
  })
  .meta({
    description:
      "Types to take instead of those found: `weekday=categorical,id=categorical` (numeric, categorical, boolean, timestamp)",
  });
