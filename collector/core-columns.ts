import { IntegerColumn, NumberColumn, TextColumn } from "./column-builder.ts";

/** What every record may have beside its features, by the names of the columns. */
export class CoreColumns {
  readonly record_id = new TextColumn();
  readonly row = new IntegerColumn("i32");
  readonly time = new IntegerColumn("i64");
  readonly received_at = new IntegerColumn("i64");
  readonly version = new TextColumn();
  readonly deployment = new TextColumn();
  readonly status = new IntegerColumn("i32");
  readonly latency_ms = new NumberColumn();
  readonly weight = new NumberColumn();
  readonly overflow = new TextColumn("json");
  readonly key_high = new IntegerColumn("i64");
  readonly key_low = new IntegerColumn("i32");
}
