/** What the model is asked: one flight as it leaves the gate. `hour` is that of the UTC clock. */
export interface FlightInputs {
  readonly hour: string;
  readonly weekday: string;
  readonly distance: number;
  readonly origin: string;
  readonly destination: string;
}

export interface LabelledFlight {
  readonly inputs: FlightInputs;
  readonly late: boolean;
}

/** Logistic regression on one-hot categories and the distance: everything needed to score, as plain data. */
export interface LateModel {
  readonly intercept: number;
  /** Per thousand miles. */
  readonly distance: number;
  /** Weight of each category, such as `origin=ORD`; a category never trained on weighs nothing. */
  readonly categories: Readonly<Record<string, number>>;
}

export const CATEGORICAL = ["hour", "weekday", "origin", "destination"] as const;
/** A category with fewer flights than this in training gets no weight of its own. */
const LEAST_FLIGHTS = 20;
/** Ridge penalty on each weight; of 2, 10, 30 and 100 the best (with 100) on the last week of January after training on the rest. */
const RIDGE = 30;
const NEWTON_STEPS = 6;

/** The probability that the flight arrives more than 15 minutes late. */
export function scoreFlight(model: LateModel, inputs: FlightInputs): number {
  let logit = model.intercept + (model.distance * inputs.distance) / 1_000;
  for (const name of CATEGORICAL) logit += model.categories[`${name}=${inputs[name]}`] ?? 0;
  return 1 / (1 + Math.exp(-logit));
}

/**
 * Fits the model by Newton's method on the ridge-penalised likelihood. The optimum is unique, so the same flights
 * always give the same model and there is nothing to seed.
 *
 * @param from - A model to go on from: the penalty then pulls towards its weights instead of 0, and what it knew of
 *   categories that are too rare now is kept.
 * @throws RangeError when there are no flights, or all are late, or none is.
 */
export function trainModel(flights: readonly LabelledFlight[], from?: LateModel): LateModel {
  const late = flights.filter((flight) => flight.late).length;
  if (late === 0 || late === flights.length) {
    throw new RangeError(
      `${flights.length} flights of which ${late} late: both outcomes are needed to train`,
    );
  }
  const columns = columnsOf(flights);
  const prior = new Float64Array(columns.size + 2); // the categories, the distance, the intercept
  for (const [name, column] of columns) prior[column] = from?.categories[name] ?? 0;
  prior[columns.size] = from?.distance ?? 0;
  prior[columns.size + 1] = from?.intercept ?? Math.log(late / (flights.length - late));
  const rows = flights.map((flight) => ({
    active: CATEGORICAL.flatMap((name) => columns.get(`${name}=${flight.inputs[name]}`) ?? []),
    distance: flight.inputs.distance / 1_000,
    late: flight.late ? 1 : 0,
  }));
  const weights = Float64Array.from(prior);
  for (let step = 0; step < NEWTON_STEPS; step += 1) newtonStep(weights, { prior, rows });
  return {
    intercept: at(weights, columns.size + 1),
    distance: at(weights, columns.size),
    categories: {
      ...from?.categories,
      ...Object.fromEntries([...columns].map(([name, column]) => [name, at(weights, column)])),
    },
  };
}

interface SparseRow {
  readonly active: readonly number[];
  readonly distance: number;
  readonly late: number;
}

function columnsOf(flights: readonly LabelledFlight[]): Map<string, number> {
  const seen = new Map<string, number>();
  for (const { inputs } of flights) {
    for (const name of CATEGORICAL) {
      const key = `${name}=${inputs[name]}`;
      seen.set(key, (seen.get(key) ?? 0) + 1);
    }
  }
  const kept = [...seen].filter(([, flightsOfIt]) => flightsOfIt >= LEAST_FLIGHTS).map(([key]) => key);
  return new Map(kept.sort().map((key, column) => [key, column]));
}

/** Adds `H^-1 g` to the weights: gradient and Hessian from the few entries of each row that are not zero. */
function newtonStep(
  weights: Float64Array,
  { prior, rows }: { readonly prior: Float64Array; readonly rows: readonly SparseRow[] },
): void {
  const width = weights.length;
  const gradient = new Float64Array(width);
  const hessian = new Float64Array(width * width);
  const values = new Float64Array(width).fill(1); // of the active columns: 1, but for the distance
  for (const { active, distance, late } of rows) {
    const columns = [...active, width - 2, width - 1];
    values[width - 2] = distance;
    let logit = 0;
    for (const column of columns) logit += at(weights, column) * at(values, column);
    const probability = 1 / (1 + Math.exp(-logit));
    const curvature = probability * (1 - probability);
    for (const i of columns) {
      gradient[i] = at(gradient, i) + (late - probability) * at(values, i);
      for (const j of columns) {
        if (j > i) continue; // the lower triangle is enough
        hessian[i * width + j] = at(hessian, i * width + j) + curvature * at(values, i) * at(values, j);
      }
    }
  }
  for (let i = 0; i < width; i += 1) {
    const penalty = i === width - 1 ? 1e-9 : RIDGE; // the intercept goes free
    gradient[i] = at(gradient, i) - penalty * (at(weights, i) - at(prior, i));
    hessian[i * width + i] = at(hessian, i * width + i) + penalty;
  }
  const step = solvePositiveDefinite(hessian, gradient);
  for (let i = 0; i < width; i += 1) weights[i] = at(weights, i) + at(step, i);
}

/** Solves `A x = b` by Cholesky's decomposition; `lower` holds the lower triangle of A row by row and is overwritten. */
export function solvePositiveDefinite(lower: Float64Array, b: Float64Array): Float64Array {
  const n = b.length;
  for (let i = 0; i < n; i += 1) {
    for (let j = 0; j <= i; j += 1) {
      let sum = at(lower, i * n + j);
      for (let k = 0; k < j; k += 1) sum -= at(lower, i * n + k) * at(lower, j * n + k);
      lower[i * n + j] = i === j ? Math.sqrt(sum) : sum / at(lower, j * n + j);
    }
  }
  const x = Float64Array.from(b);
  for (let i = 0; i < n; i += 1) {
    for (let k = 0; k < i; k += 1) x[i] = at(x, i) - at(lower, i * n + k) * at(x, k);
    x[i] = at(x, i) / at(lower, i * n + i);
  }
  for (let i = n - 1; i >= 0; i -= 1) {
    for (let k = i + 1; k < n; k += 1) x[i] = at(x, i) - at(lower, k * n + i) * at(x, k);
    x[i] = at(x, i) / at(lower, i * n + i);
  }
  return x;
}

function at(array: Float64Array, index: number): number {
  return array[index] as number; // every index above is below the length
}
