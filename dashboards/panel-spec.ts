import {
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  type ValueMapping,
} from "@grafana/grafana-foundation-sdk/dashboard";
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus";

/** Every panel and query asks the Prometheus that the dashboard's variable names. */
export const datasource = { type: "prometheus", uid: "$datasource" };

/** One question to Prometheus and, where there are several lines, what each is called. */
export interface Question {
  readonly expr: string;
  readonly legend?: string;
}

export interface PanelSpec {
  readonly title: string;
  /** What the reader sees, and what to make of it. */
  readonly says: string;
  readonly unit: string;
  /** Of the 24 columns of the grid. */
  readonly width: number;
  readonly height?: number;
  readonly asks: readonly Question[];
  /** From which value on which colour; the first holds from below. */
  readonly steps?: readonly Step[];
  readonly mappings?: readonly ValueMapping[];
  readonly decimals?: number;
  readonly min?: number;
  readonly max?: number;
  readonly noValue?: string;
}

type Step = readonly [from: number | null, color: string];

/** Grafana tells the queries of a panel apart by letters. */
export function refId(index: number): string {
  return String.fromCharCode(65 + index);
}

export function query(expr: string): DataqueryBuilder {
  return new DataqueryBuilder().datasource(datasource).expr(expr);
}

export function overTime({ expr, legend }: Question, index: number): DataqueryBuilder {
  return query(expr)
    .range()
    .legendFormat(legend ?? "")
    .refId(refId(index));
}

export function now({ expr, legend }: Question, index: number): DataqueryBuilder {
  return query(expr)
    .instant()
    .legendFormat(legend ?? "")
    .refId(refId(index));
}

/** The methods that every panel builder of the SDK has under the same name. */
interface Dressable {
  title(title: string): this;
  description(description: string): this;
  datasource(ref: typeof datasource): this;
  height(rows: number): this;
  span(columns: number): this;
  unit(unit: string): this;
  decimals(decimals: number): this;
  min(min: number): this;
  max(max: number): this;
  noValue(text: string): this;
  mappings(mappings: ValueMapping[]): this;
  thresholds(thresholds: ThresholdsConfigBuilder): this;
}

/** A panel with what all panels have. */
export function dressed<P extends Dressable>(panel: P, spec: PanelSpec, height: number): P {
  panel.title(spec.title).description(spec.says).datasource(datasource).unit(spec.unit);
  panel.span(spec.width).height(spec.height ?? height);
  panel.noValue(spec.noValue ?? "no data");
  panel.thresholds(thresholds(spec.steps ?? [[null, "blue"]]));
  if (spec.mappings) panel.mappings([...spec.mappings]);
  if (spec.decimals !== undefined) panel.decimals(spec.decimals);
  if (spec.min !== undefined) panel.min(spec.min);
  if (spec.max !== undefined) panel.max(spec.max);
  return panel;
}

function thresholds(steps: readonly Step[]): ThresholdsConfigBuilder {
  const built: Threshold[] = steps.map(([value, color]) => ({ value, color }));
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(built);
}
