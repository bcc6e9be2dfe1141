import type { DecodeOptions } from "../../protocols/exchange.ts";
import type { Call, Payload } from "./call.ts";
import { decodeCall } from "./decode-call.ts";
import type { FlatCall } from "./flat-call.ts";

/** Columns in the order in which the numbers stand in a call, as JSON in front of each: `{"x_0":`, `,"x_1":`. */
interface Plan {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly version: string | undefined;
}

/** A body apart from its numbers. */
interface NumericBody {
  /** All else, with how many numbers of which kind were there. What decides about the columns is in it. */
  readonly shape: string;
  readonly pieces: readonly string[];
  readonly lists: readonly NumberList[];
}

interface NumberList {
  readonly kind: "whole" | "float";
  readonly numbers: readonly string[];
}

const LONGEST_BODY = 65_536;
const MOST_LISTS = 64;
const MOST_PLANS = 256;
/** So many new shapes one after the other, and the next calls are not looked at. */
const MOST_MISSES = 32;
const CALLS_LEFT_OUT = 10_000;

/** Lists that may be of numbers, by the names that V2 and V1 have for them; those that begin another list, too. */
const LIST = /"(?:data|instances|predictions)": ?\[+/g;
/** Numbers whose text says the same however often it is read and written. */
const WHOLE = /^(?:0|[1-9]\d{0,8})(?:,(?:0|[1-9]\d{0,8}))*$/;
const FLOAT = /^(?:(?!-0(?:[,eE]|$))-?(?:0|[1-9]\d{0,14})(?:\.\d{0,19}[1-9])?(?:[eE]-\d\d?)?(?:,(?!$)|$))+$/;
/** As Python writes a number that is whole. */
const EMPTY_FRACTION = /(^|,)(-?\d+)\.0(?=,|$)/g;
const MESSAGE_ID = /"id": ?"[ !#-~]*"/;

/**
 * Finds calls of one instance that are lists of numbers in words that are always the same, as most callers of V2 and V1
 * have it: their numbers are copied as text, neither read nor written.
 *
 * What the columns of such a call are called is not known here: `decodeCall` is asked once for each shape, with numbers by
 * which their places are known again. So what is found is what that would make of the call.
 */
export class NumericCalls {
  readonly #plans = new Map<string, Plan | undefined>();
  readonly #mostBytes: number;
  readonly #options: DecodeOptions;
  #misses = 0;
  #leftOut = 0;

  constructor(mostBytes: number, options: DecodeOptions) {
    this.#mostBytes = mostBytes;
    this.#options = options;
  }

  /** @returns undefined when the call has to be decoded. */
  find(call: Call): FlatCall | undefined {
    const { idState, status, path, request, response } = call;
    if (idState !== "settled" || status < 200 || status >= 300) return undefined;
    if (this.#leftOut > 0) {
      this.#leftOut--;
      return undefined;
    }
    const asked = numericBody(request);
    const answered = asked && numericBody(response);
    if (!asked || !answered) return undefined;
    const shape = `${status} ${path}\n${request.type}\n${response.type}\n${asked.shape}\n${answered.shape}`;
    let plan = this.#plans.get(shape);
    if (plan === undefined) {
      if (this.#plans.has(shape)) return undefined; // it is known that it has none
      plan = this.#learn(shape, call, asked, answered);
      if (!plan) return undefined;
    } else {
      this.#misses = 0;
    }
    return {
      inputs: objectText(plan.inputs, asked),
      outputs: objectText(plan.outputs, answered),
      version: plan.version,
    };
  }

  #learn(shape: string, call: Call, asked: NumericBody, answered: NumericBody): Plan | undefined {
    if (this.#plans.size >= MOST_PLANS) this.#plans.clear();
    this.#misses++;
    if (this.#misses > MOST_MISSES) {
      this.#misses = 0;
      this.#leftOut = CALLS_LEFT_OUT;
    }
    const decode = (marked: Call) => decodeCall(marked, this.#mostBytes, this.#options);
    const plan = planOf(call, asked, answered, decode);
    this.#plans.set(shape, plan);
    return plan;
  }
}

function numericBody({ state, encoding, headerLength, body }: Payload): NumericBody | undefined {
  if (state !== "whole" || encoding !== undefined || headerLength !== undefined) return undefined;
  if (body.length > LONGEST_BODY) return undefined;
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString("latin1");
  // With an escape, what looks like a name of a member may be in a text.
  if (text.includes("\\")) return undefined;
  const lists: NumberList[] = [];
  const pieces: string[] = [];
  let shape = "";
  let done = 0;
  LIST.lastIndex = 0;
  while (LIST.test(text)) {
    const start = LIST.lastIndex;
    const end = text.indexOf("]", start);
    if (end === -1 || lists.length === MOST_LISTS) return undefined;
    const list = numbersOf(text.slice(start, end));
    if (!list) return undefined;
    const piece = withoutId(text.slice(done, start));
    shape += `${piece}${list.kind} ${list.numbers.length}`;
    pieces.push(piece);
    lists.push(list);
    done = end;
    LIST.lastIndex = end;
  }
  if (lists.length === 0) return undefined;
  const last = withoutId(text.slice(done));
  pieces.push(last);
  return { shape: shape + last, pieces, lists };
}

function numbersOf(text: string): NumberList | undefined {
  const close = text.includes(" ") ? text.replaceAll(", ", ",") : text;
  const plain = close.includes(".0") ? close.replace(EMPTY_FRACTION, "$1$2") : close;
  if (WHOLE.test(plain)) return { kind: "whole", numbers: plain.split(",") };
  return FLOAT.test(plain) ? { kind: "float", numbers: plain.split(",") } : undefined;
}

/** The id of the message is another in each, and the record has its own already. */
function withoutId(piece: string): string {
  return piece.includes('"id"') ? piece.replace(MESSAGE_ID, '"id":""') : piece;
}

function objectText(names: readonly string[], { lists }: NumericBody): string {
  let text = "";
  let at = 0;
  for (const { numbers } of lists) for (const number of numbers) text += (names[at++] as string) + number; // as many
  return `${text}}`;
}

function planOf(
  call: Call,
  asked: NumericBody,
  answered: NumericBody,
  decode: (call: Call) => ReturnType<typeof decodeCall>,
): Plan | undefined {
  const decoded = decode({
    ...call,
    request: { ...call.request, body: markedBody(asked) },
    response: { ...call.response, body: markedBody(answered) },
  });
  if (decoded.outcome === "undecodable" || decoded.rows.length !== 1) return undefined;
  const [row] = decoded.rows;
  const inputs = row?.row === 0 ? namesOf(row.inputs, asked) : undefined;
  const outputs = row && inputs ? namesOf(row.outputs, answered) : undefined;
  return inputs && outputs ? { inputs, outputs, version: decoded.version } : undefined;
}

/** The number that stands at a place when it is asked which column it becomes. */
function mark(kind: NumberList["kind"], place: number): number {
  return kind === "whole" ? 1_000 + place : place + 0.5; // no BOOL, nor of a type of one byte
}

function marksOf({ lists }: NumericBody): number[][] {
  let place = 0;
  return lists.map(({ kind, numbers }) => numbers.map(() => mark(kind, place++)));
}

function markedBody(body: NumericBody): Uint8Array {
  const marks = marksOf(body).map((list) => list.join());
  return Buffer.from(body.pieces.map((piece, at) => piece + (marks[at] ?? "")).join(""), "latin1");
}

/** @returns undefined unless the columns are these numbers, each once, and nothing else. */
function namesOf(features: Readonly<Record<string, unknown>>, body: NumericBody): string[] | undefined {
  const nameOf = new Map(Object.entries(features).map(([name, value]) => [value, name]));
  const marks = marksOf(body).flat();
  if (nameOf.size !== marks.length || Object.keys(features).length !== marks.length) return undefined;
  const names = marks.flatMap((value, at) => {
    const name = nameOf.get(value);
    return name === undefined ? [] : [`${at === 0 ? "{" : ","}${JSON.stringify(name)}:`];
  });
  return names.length === marks.length ? names : undefined;
}
