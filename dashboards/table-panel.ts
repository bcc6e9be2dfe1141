import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import type { DynamicConfigValue, Panel } from "@grafana/grafana-foundation-sdk/dashboard";
import { PromQueryFormat } from "@grafana/grafana-foundation-sdk/prometheus";
import { PanelBuilder as TablePanel } from "@grafana/grafana-foundation-sdk/table";
import { dressed, type PanelSpec, query, refId } from "./panel-spec.ts";

export interface Column {
  readonly name: string;
  readonly expr: string;
  readonly shows?: readonly DynamicConfigValue[];
}

/** A table whose lines are what the questions have in common and whose columns are their answers. */
export function table(
  spec: Omit<PanelSpec, "asks"> & { readonly columns: readonly Column[] },
): Builder<Panel> {
  const { columns } = spec;
  const names = columns.map(({ name }, index) => [valueField(index, columns.length), name] as const);
  const panel = dressed(new TablePanel(), { ...spec, asks: [] }, 8)
    .targets(
      columns.map(({ expr }, index) =>
        query(expr).instant().format(PromQueryFormat.Table).refId(refId(index)),
      ),
    )
    .filterable(true)
    .withTransformation({ id: "merge", options: {} })
    .withTransformation({
      id: "organize",
      options: { excludeByName: { Time: true }, indexByName: {}, renameByName: Object.fromEntries(names) },
    });
  for (const { name, shows } of columns) {
    if (shows) panel.overrideByName(name, [...shows]);
  }
  return panel;
}

/** Grafana calls the answer of a lone query "Value", of several "Value #A", "Value #B" … */
function valueField(index: number, count: number): string {
  return count === 1 ? "Value" : `Value #${refId(index)}`;
}
