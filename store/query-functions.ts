/**
 * What a query may call. A function that is not named here is refused: DuckDB's next version may bring one that reads a
 * file. Left out on purpose, besides all that reach outside or show settings: those whose one call may take any amount
 * of memory or time, because DuckDB cannot be interrupted within a call (repeat, lpad, range as a list, printf,
 * levenshtein, functions that take a lambda).
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
  array_contains array_distinct array_extract array_has array_has_all array_has_any array_indexof array_intersect
  array_length array_position array_reverse_sort array_slice array_sort array_unique array_value cardinality
  element_at flatten list_avg list_contains list_count list_distinct list_element list_extract list_first list_has
  list_has_all list_has_any list_indexof list_intersect list_last list_max list_median list_min 
  list_position list_reverse_sort list_slice list_sort list_stddev_pop list_stddev_samp list_sum list_unique
   map_contains map_entries map_extract map_extract_value map_from_entries map_keys map_values 
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

/**
 * Functions that put their arguments together. With two that are no constants the answer may be twice as long as each,
 * and doublings multiply: forty `||` in nested queries make a text of a terabyte out of one letter.
 */
const JOINING = words(`
  || array_cat array_concat array_value concat concat_ws json_array json_object list_cat list_concat list_pack list_value
  map row struct_pack
`);

/** Other functions whose answer may be longer than what they are given, and how often a call may double it. */
const GROWING: ReadonlyMap<string, number> = new Map([
  ["array_to_json", 1],
  ["json_quote", 1],
  ["regexp_extract_all", 4],
  ["regexp_replace", 4],
  ["regexp_split_to_array", 4],
  ["replace", 4],
  ["row_to_json", 1],
  ["split", 4],
  ["str_split", 4],
  ["strftime", 4],
  ["string_split", 4],
  ["string_to_array", 4],
  ["to_json", 1],
]);

/** Where the text put in stands among the arguments; a longer one would multiply the length of the answer by more. */
const INSERTED_ARGUMENT: ReadonlyMap<string, number> = new Map([
  ["concat_ws", 0],
  ["regexp_replace", 2],
  ["replace", 2],
]);

/** Rows out of nothing but their arguments, made while they are read. */
export const TABLE_FUNCTIONS: ReadonlySet<string> = words("range generate_series unnest json_each");

/** Doublings that one statement may hold. */
export const GROWTH_LIMIT = 16;
/** Characters of a text that is put into another. */
export const INSERTED_CHARACTERS = 16;

export type FunctionRule =
  | { readonly may: "no" }
  | { readonly may: "yes"; readonly doublings: number; readonly insertedArgument: number | undefined };

/** Whether a query may call the function `name` (lower case) with this many arguments that are no constants. */
export function ruleOf(name: string, variables: number): FunctionRule {
  if (JOINING.has(name)) {
    return {
      may: "yes",
      doublings: Math.ceil(Math.log2(Math.max(variables, 1))),
      insertedArgument: INSERTED_ARGUMENT.get(name),
    };
  }
  const doublings = GROWING.get(name);
  if (doublings === undefined && !PLAIN.has(name)) return { may: "no" };
  return { may: "yes", doublings: doublings ?? 0, insertedArgument: INSERTED_ARGUMENT.get(name) };
}

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}
