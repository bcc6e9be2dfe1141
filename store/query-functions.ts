/**
 * What a query may call. A function that is not named here is refused: DuckDB's next version may bring one that reads a
 * file. Left out on purpose, besides all that reach outside or show settings: those whose one call may take any amount
 * of memory or time, because DuckDB cannot be interrupted within a call (repeat, lpad, range as a list, printf,
 * levenshtein, functions that take a lambda). docs/sql.md lists them all.
 */
const PLAIN = words(`
  + - * / // % ** ^ & | ~ << >> ! !__postfix @
  ~~ !~~ ~~* !~~* ~~~ ^@ -> ->> <@ @> && <=> <->
  like_escape not_like_escape ilike_escape not_ilike_escape
  abs acos acosh add asin asinh atan atan2 atanh bit_count cbrt ceil ceiling cos cosh cot degrees divide even exp
  factorial fdiv floor fmod gamma gcd greatest greatest_common_divisor isfinite isinf isnan lcm least
  least_common_multiple lgamma ln log log10 log2 mod multiply nextafter pi pow power radians random round round_even
  roundbankers sign signbit sin sinh sqrt subtract tan tanh trunc xor
  ascii bit_length char_length character_length chr contains ends_with hash instr lcase left len length
  lower ltrim md5 nfc_normalize octet_length ord parse_filename position prefix regexp_extract regexp_full_match
  regexp_matches reverse right rtrim sha1 sha256 split_part starts_with strip_accents strlen strpos substr substring
  suffix trim ucase unicode upper
  age ago century current_date current_localtime current_localtimestamp date_add date_diff date_part date_sub
  date_trunc datediff datepart datesub datetrunc day dayname dayofmonth dayofweek dayofyear days_in_month decade epoch
  epoch_ms epoch_ns epoch_us era get_current_time get_current_timestamp hour isodow isoyear julian last_day make_date
  make_time make_timestamp make_timestamp_ms make_timestamp_ns make_timestamptz microsecond millennium millisecond
  minute month monthname nanosecond normalized_interval now quarter second strptime time_bucket timezone timezone_hour
  timezone_minute to_centuries to_days to_decades to_hours to_microseconds to_millennia to_milliseconds to_minutes
  to_months to_quarters to_seconds to_timestamp to_weeks to_years today transaction_timestamp try_strptime week
  weekday weekofyear year yearweek
  constant_or_null error nullif typeof uuid gen_random_uuid
  array_contains array_distinct array_extract array_has array_has_all array_has_any array_indexof
  array_length array_position array_reverse_sort array_slice array_sort array_unique cardinality
  element_at flatten list_avg list_contains list_count list_distinct list_element list_extract list_first list_has
  list_has_all list_has_any list_indexof list_last list_max list_median list_min
  list_position list_reverse_sort list_slice list_sort list_stddev_pop list_stddev_samp list_sum list_unique
  map_contains map_entries map_extract map_extract_value map_keys map_values
  struct_extract struct_extract_at struct_keys struct_values unnest unpivot_list
  from_json json_array_length json_contains json_exists json_extract json_extract_path json_extract_path_text
  json_extract_string json_keys json_structure json_type json_valid json_value
  any_value approx_count_distinct approx_quantile arbitrary arg_max arg_max_null arg_min arg_min_null argmax argmin
  array_agg avg bit_and bit_or bit_xor bool_and bool_or corr count count_if count_star countif covar_pop covar_samp
  cume_dist dense_rank entropy favg fill first first_value fsum geomean geometric_mean group_concat histogram
  kahan_sum kurtosis kurtosis_pop lag last last_value lead list listagg mad max max_by mean median min min_by mode
  nth_value ntile percent_rank product quantile quantile_cont quantile_disc rank rank_dense regr_avgx regr_avgy
  regr_count regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy row_number sem skewness stddev stddev_pop
  stddev_samp string_agg sum sum_no_overflow sumkahan var_pop var_samp variance wavg weighted_avg
  json_group_array json_group_object
`);

/** Functions that put their arguments together: the answer may be as long as all of them. */
const JOINING = words(`
  || array_cat array_concat array_value concat concat_ws list_cat list_concat list_pack list_value map row struct_pack
`);

/** JSON writes a quote as two characters and some others as six. */
const ESCAPED = 6;
/** Sixteen bytes for one, or sixteen characters put in for one. */
const SPREAD = 16;
export const INSERTED_CHARACTERS = SPREAD;

/** Texts that are written out, by argument; undefined where another thing stands. */
type Texts = readonly (string | undefined)[];
type Growth = (texts: Texts) => number;

const ESCAPING = words(`
  array_to_json json_array json_group_array json_group_object json_object json_quote row_to_json to_json
`);
const SPLITTING = words(
  "regexp_extract_all regexp_split_to_array split str_split string_split string_to_array",
);

/** How many times longer an answer may be than what the function is given. */
const GROWING: ReadonlyMap<string, Growth> = new Map<string, Growth>([
  ...[...ESCAPING].map((name) => [name, () => ESCAPED] as const),
  ...[...SPLITTING].map((name) => [name, () => SPREAD] as const),
  // One thing becomes another; a pattern may match nothing, between any two characters.
  ["replace", ([, from, to]) => Math.max(1, (to?.length ?? SPREAD) / (from?.length || 1))],
  ["regexp_replace", ([, , to]) => 1 + (to?.length ?? SPREAD)],
  // `%c` is a whole date.
  ["strftime", (texts) => (texts.some(Boolean) ? texts.join("").length / SPREAD : SPREAD)],
]);

const JOINING_AND_GROWING = words("json_array json_object");

/**
 * Functions that build a table of one of their lists, element by element: a microsecond and a hundred bytes for each,
 * of which a list of a column may have millions. That list has to be written out.
 */
const WRITTEN_ARGUMENTS: ReadonlyMap<string, readonly number[]> = new Map([
  ["map", [0, 1]],
  ["list_has_any", [1]],
  ["list_has_all", [1]],
  ["array_has_any", [1]],
  ["array_has_all", [1]],
  ["&&", [1]],
  ["@>", [1]],
  ["<@", [0]],
]);

/** Where the text put in stands among the arguments. */
const INSERTED_ARGUMENT: ReadonlyMap<string, number> = new Map([
  ["concat_ws", 0],
  ["regexp_replace", 2],
  ["replace", 2],
]);

/** Functions whose further arguments are paths into JSON. */
export const PATH_FUNCTIONS: ReadonlySet<string> = words(`
  -> ->> json_array_length json_each json_exists json_extract json_extract_path json_extract_path_text
  json_extract_string json_keys json_type json_value
`);

/** Rows out of nothing but their arguments, made while they are read. */
export const TABLE_FUNCTIONS: ReadonlySet<string> = words("range generate_series unnest json_each");

/** What to do without a function that people miss. */
const INSTEAD: readonly (readonly [RegExp, string])[] = [
  [
    /^(list|array)_(transform|filter|reduce|apply)$|^(apply|filter|reduce)$/,
    "unnest the list and use a subquery",
  ],
  [
    /^(list|array)_aggregate?$|^(list|array)_aggr$/,
    "unnest the list and aggregate, or use list_sum, list_avg, list_max",
  ],
  [/^(range|generate_series)$/, "use it behind from: select * from range(10)"],
  [/^(list|array)_intersect$/, "unnest both lists and join them"],
  [/^map_from_entries$/, "write the map out: map {'a': 1}"],
  [/^(repeat|lpad|rpad|format|printf|bar)$/, "let what reads the answer lay it out"],
];

export type FunctionRule =
  | { readonly may: "no"; readonly instead: string | undefined }
  | {
      readonly may: "yes";
      /** Whether the answer may be as long as the arguments together, or as the longest of them. */
      readonly arguments: "joined" | "longest";
      /** How many times longer than that. */
      readonly growth: number;
      readonly insertedArgument: number | undefined;
      /** Arguments that have to be lists written out. */
      readonly writtenArguments: readonly number[];
    };

/** Whether and how a query may call the function `name` (in lower case). */
export function functionRule(name: string, texts: Texts): FunctionRule {
  const growth = GROWING.get(name);
  if (growth === undefined && !PLAIN.has(name) && !JOINING.has(name)) {
    return { may: "no", instead: INSTEAD.find(([pattern]) => pattern.test(name))?.[1] };
  }
  return {
    may: "yes",
    arguments: JOINING.has(name) || JOINING_AND_GROWING.has(name) ? "joined" : "longest",
    growth: growth?.(texts) ?? 1,
    insertedArgument: INSERTED_ARGUMENT.get(name),
    writtenArguments: WRITTEN_ARGUMENTS.get(name) ?? [],
  };
}

/** Whether a path into JSON (no text: a position) names one part of it, or the parts of one. */
export function hasSafePath(path: string | undefined): boolean {
  return path === undefined || !(path.includes("..") || path.includes("**") || path.split("*").length > 3);
}

/** Names of the functions that a query may call, for the guide; operators are left out. */
export function takenFunctions(): readonly string[] {
  const all = new Set([...PLAIN, ...JOINING, ...GROWING.keys()]);
  return [...all].filter((name) => /^[a-z]/.test(name)).sort();
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}
