import { PanelBuilder as BarGaugePanel } from "@grafana/grafana-foundation-sdk/bargauge";
import type { Builder } from "@grafana/grafana-foundation-sdk/cog";
import {
  BarGaugeDisplayMode,
  BigValueColorMode,
  BigValueGraphMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizOrientation,
  VizTooltipOptionsBuilder,
} from "@grafana/grafana-foundation-sdk/common";
import { FieldColorBuilder, FieldColorModeId, type Panel } from "@grafana/grafana-foundation-sdk/dashboard";
import { PanelBuilder as StatPanel } from "@grafana/grafana-foundation-sdk/stat";
import { PanelBuilder as TimelinePanel } from "@grafana/grafana-foundation-sdk/statetimeline";
import { PanelBuilder as TimeSeriesPanel } from "@grafana/grafana-foundation-sdk/timeseries";

import { dressed, now, overTime, type PanelSpec } from "./panel-spec.ts";

/** A number, coloured by its thresholds, with its recent course behind it where it has one. */
export function stat(spec: PanelSpec & { readonly course?: "shown" | "hidden" }): Builder<Panel> {
  const course = spec.course ?? "hidden";
  return dressed(new StatPanel(), spec, 4)
    .targets(spec.asks.map(course === "shown" ? overTime : now))
    .graphMode(course === "shown" ? BigValueGraphMode.Area : BigValueGraphMode.None)
    .colorMode(BigValueColorMode.Value)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"]).values(false))
    .orientation(VizOrientation.Auto);
}

export interface Lines {
  readonly stacked?: "stacked" | "side by side";
  /** Draws the threshold steps as dashed lines. */
  readonly limits?: "drawn" | "hidden";
  readonly colors?: Readonly<Record<string, string>>;
}

/** Lines over time, with a legend that tells the last and the highest value. */
export function lines(spec: PanelSpec & Lines): Builder<Panel> {
  const panel = dressed(new TimeSeriesPanel(), spec, 8)
    .targets(spec.asks.map(overTime))
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(["lastNotNull", "max"]),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
    .colorScheme(new FieldColorBuilder().mode(FieldColorModeId.PaletteClassicByName))
    .fillOpacity(spec.stacked === "stacked" ? 30 : 5)
    .lineWidth(1)
    .showPoints(VisibilityMode.Auto);
  if (spec.stacked === "stacked") panel.stacking(new StackingConfigBuilder().mode(StackingMode.Normal));
  if (spec.limits === "drawn") {
    panel.thresholdsStyle(new GraphThresholdsStyleConfigBuilder().mode(GraphThresholdsStyleMode.Dashed));
  }
  for (const [name, color] of Object.entries(spec.colors ?? {})) {
    panel.overrideByName(name, [{ id: "color", value: { mode: "fixed", fixedColor: color } }]);
  }
  return panel;
}

/** One bar per line of the answer. */
export function bars(spec: PanelSpec): Builder<Panel> {
  return dressed(new BarGaugePanel(), spec, 8)
    .targets(spec.asks.map(now))
    .displayMode(BarGaugeDisplayMode.Basic)
    .orientation(VizOrientation.Horizontal)
    .reduceOptions(new ReduceDataOptionsBuilder().calcs(["lastNotNull"]).values(false));
}

/** A coloured band per line: when did it change, and for how long. */
export function timeline(spec: PanelSpec): Builder<Panel> {
  return dressed(new TimelinePanel(), spec, 10)
    .targets(spec.asks.map(overTime))
    .legend(
      new VizLegendOptionsBuilder().displayMode(LegendDisplayMode.List).placement(LegendPlacement.Bottom),
    )
    .mergeValues(true)
    .rowHeight(0.85)
    .fillOpacity(80);
}
