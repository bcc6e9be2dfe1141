import type { Database } from "./database.ts";

/** Half of a captured call that waits for the other, or word that both have come. */
export interface StoredHalf {
  readonly key: string;
  readonly side: "request" | "response" | "both";
  readonly model: string;
  /** JSON; null when both have come. */
  readonly document: string | null;
  readonly body: Uint8Array | null;
}

/** A call whose both halves have come. */
export interface CompletedCall {
  readonly key: string;
  readonly model: string;
  readonly attempt: "last" | "failed";
}

/** Halves that waited in vain, by model and side. */
export interface ExpiredHalves {
  readonly model: string;
  readonly side: "request" | "response";
  readonly halves: number;
}

/** Makes what a half holds unreadable to whoever has no key, and readable again. */
export interface HalfSeal {
  /** Whether halves of this model are to be sealed. */
  covers(model: string): boolean;
  seal(bytes: Uint8Array): Uint8Array;
  /** Undefined when it was sealed with another key. */
  open(sealed: Uint8Array): Uint8Array | undefined;
}

/** Begins the document of a sealed half. */
const SEALED = "sealed:";

/** Keeps halves of captured calls until the other half has come. */
export class CaptureHalves {
  readonly #database: Database;
  readonly #seal: HalfSeal | undefined;

  constructor(database: Database, seal?: HalfSeal) {
    this.#database = database;
    this.#seal = seal;
  }

  /** All that is known under these keys. Halves that were sealed with another key are as good as lost. */
  async find(keys: readonly string[]): Promise<StoredHalf[]> {
    const halves = await this.#database.all<StoredHalf>(
      `select key, side, model, document, body from capture_halves
       where key in (select unnest(from_json($keys, '["VARCHAR"]')))`,
      { keys: JSON.stringify(keys) },
    );
    return halves.flatMap((half) => this.#opened(half) ?? []);
  }

  /**
   * Adds halves, and takes those out whose other half has come: of the last attempt of a call it is noted that both have,
   * of one that failed nothing is. Durable when it returns.
   */
  async keep(
    halves: readonly StoredHalf[],
    completed: readonly CompletedCall[],
    receivedAt: Date,
  ): Promise<void> {
    const both = completed
      .filter(({ attempt }) => attempt === "last")
      .map(({ key, model }): StoredHalf => ({ key, model, side: "both", document: null, body: null }));
    const rows = [...halves, ...both]
      .map((half) => this.#sealed(half))
      .map(({ body, ...half }) => ({
        ...half,
        bytes: half.key.length + (half.document?.length ?? 0) + (body?.length ?? 0),
        body: body && Buffer.from(body.buffer, body.byteOffset, body.length).toString("base64"),
      }));
    if (rows.length === 0 && completed.length === 0) return;
    await this.#database.transaction(async (tx) => {
      if (completed.length > 0) {
        await tx.run(
          `delete from capture_halves where key in (select unnest(from_json($keys, '["VARCHAR"]')))`,
          { keys: JSON.stringify(completed.map(({ key }) => key)) },
        );
      }
      await tx.run(
        `insert into capture_halves
         select row.key, row.side, row.model, $receivedAt::timestamptz, row.bytes, row.document, from_base64(row.body)
         from (select unnest(from_json($rows,
           '[{"key":"VARCHAR","side":"VARCHAR","model":"VARCHAR","bytes":"BIGINT","document":"VARCHAR","body":"VARCHAR"}]')) as row)`,
        { rows: JSON.stringify(rows), receivedAt: receivedAt.toISOString() },
      );
    });
  }

  #sealed(half: StoredHalf): StoredHalf {
    const seal = this.#seal;
    if (!seal?.covers(half.model) || half.document === null) return half;
    const document = Buffer.from(seal.seal(Buffer.from(half.document))).toString("base64");
    return { ...half, document: JSON.stringify(SEALED + document), body: half.body && seal.seal(half.body) };
  }

  #opened(half: StoredHalf): StoredHalf | undefined {
    if (!half.document?.startsWith(`"${SEALED}`)) return half;
    const sealed = JSON.parse(half.document) as string; // written by #sealed
    const document = this.#seal?.open(Buffer.from(sealed.slice(SEALED.length), "base64"));
    const body = half.body && this.#seal?.open(half.body);
    if (!document || body === undefined) return undefined;
    return { ...half, document: Buffer.from(document).toString(), body };
  }

  /** Removes what was received before `before`. @returns the halves that never found the other. */
  async expire(before: Date): Promise<ExpiredHalves[]> {
    const parameters = { before: before.toISOString() };
    const [row] = await this.#database.all<{ old: boolean }>(
      "select count(*) > 0 as old from capture_halves where received_at < $before::timestamptz",
      parameters,
    );
    if (!row?.old) return [];
    return this.#database.transaction(async (tx) => {
      const expired = await tx.all<ExpiredHalves>(
        `select model, side, count(*) as halves from capture_halves
         where received_at < $before::timestamptz and side <> 'both' group by all order by all`,
        parameters,
      );
      await tx.run("delete from capture_halves where received_at < $before::timestamptz", parameters);
      return expired;
    });
  }

  /** What waits now. */
  async waiting(): Promise<{ readonly halves: number; readonly bytes: number }> {
    const [row] = await this.#database.all<{ halves: number; bytes: number }>(
      `select count(*) as halves, coalesce(sum(bytes), 0)::double as bytes
       from capture_halves where side <> 'both'`,
    );
    return row ?? { halves: 0, bytes: 0 };
  }
}
