import { ServiceError } from "../../schema/errors.ts";
import type { ModelOrder, Order, VersionOrder } from "../../store/model-registry.ts";
import { cursorOf, readCount } from "../cursor.ts";
import type { Registry } from "../registry.ts";
import { parseSearch } from "../search-query.ts";
import { newestOf } from "./lookups.ts";
import { shownModel, shownVersion } from "./shapes.ts";

interface Search {
  readonly filter: string;
  readonly max_results: number;
  readonly order_by: readonly string[];
  readonly page_token?: string | undefined;
}

/** Registered models that the filter describes. */
export async function searchModels(
  { filter, max_results, order_by, page_token }: Search,
  { registry }: { readonly registry: Registry },
) {
  const offset = readCount(page_token) ?? 0;
  const models = await registry.models({
    conditions: parseSearch(filter, "mlflow"),
    known: "registered",
    versions: "do-not-count",
    order: [...orderOf(order_by, MODEL_KEYS), { by: "name", direction: "up" }] satisfies ModelOrder,
    limit: max_results,
    offset,
  });
  const shown = await Promise.all(
    models.map(async (found) => shownModel(found, await newestOf(registry, found))),
  );
  return { registered_models: shown, ...nextPage(models, max_results, offset) };
}

/** Versions that the filter describes, those changed last first unless something else is asked. */
export async function searchVersions(
  { filter, max_results, order_by, page_token }: Search,
  { registry }: { readonly registry: Registry },
) {
  const offset = readCount(page_token) ?? 0;
  const asked = orderOf(order_by, VERSION_KEYS);
  const versions = await registry.versions({
    conditions: parseSearch(filter, "mlflow"),
    order: [
      ...(asked.length > 0 ? asked : [{ by: "updated_at", direction: "down" } as const]),
      { by: "model", direction: "up" },
      { by: "version", direction: "down" },
    ] satisfies VersionOrder,
    limit: max_results,
    offset,
  });
  return { model_versions: versions.map(shownVersion), ...nextPage(versions, max_results, offset) };
}

function nextPage(found: readonly unknown[], limit: number, offset: number) {
  return found.length === limit ? { next_page_token: cursorOf(offset + limit) } : {};
}

const MODEL_KEYS = {
  name: "name",
  timestamp: "updated_at",
  last_updated_timestamp: "updated_at",
  creation_timestamp: "created_at",
} as const;
const VERSION_KEYS = {
  name: "model",
  version_number: "version",
  timestamp: "updated_at",
  last_updated_timestamp: "updated_at",
  creation_timestamp: "created_at",
} as const;

/** Reads `name ASC`, `last_updated_timestamp DESC` … @throws ServiceError `invalid-input`. */
function orderOf<Key extends string>(
  clauses: readonly string[],
  keys: Readonly<Record<string, Key>>,
): Order<Key> {
  return clauses.map((clause) => {
    const [, name = "", direction] = /^\s*`?(\w+)`?(?:\s+(asc|desc))?\s*$/i.exec(clause) ?? [];
    const by = Object.hasOwn(keys, name) ? keys[name] : undefined;
    if (by === undefined) {
      throw new ServiceError(
        "invalid-input",
        `order_by "${clause}": expected one of ${Object.keys(keys).join(", ")}, with ASC or DESC behind it`,
      );
    }
    return { by, direction: direction?.toLowerCase() === "desc" ? "down" : "up" };
  });
}
