import { expect, it } from "vitest";
import { SpareMemory } from "../../collector/spare-memory.ts";
import { post } from "./post.ts";
import { startCollector } from "./test-collector.ts";

const MIB = 1024 * 1024;

it("lends what was given back, and nothing that is lent", () => {
  const memory = new SpareMemory(8 * MIB);
  const first = memory.take(100_000);
  const second = memory.take(100_000);
  expect(second.buffer).not.toBe(first.buffer);
  expect([first.length, second.length]).toEqual([100_000, 100_000]);
  memory.give(first);
  const third = memory.take(90_000);
  expect(third.buffer).toBe(first.buffer);
  expect(third.length).toBe(90_000);
  expect(memory.take(90_000).buffer).not.toBe(first.buffer);
});

it("keeps no more than it may, no large memory for little, and neither the smallest nor the largest", () => {
  const memory = new SpareMemory(2 * MIB);
  const [a, b, c] = [memory.take(MIB), memory.take(MIB), memory.take(MIB)];
  for (const lent of [a, b, c]) memory.give(lent);
  expect(memory.take(20_000).buffer).not.toBe(a.buffer);
  const again = [memory.take(MIB), memory.take(MIB), memory.take(MIB)].map(({ buffer }) => buffer);
  expect(again).toContain(a.buffer);
  expect(again).toContain(b.buffer);
  expect(again).not.toContain(c.buffer);
  const large = memory.take(5 * MIB);
  memory.give(large);
  expect(memory.take(5 * MIB).buffer).not.toBe(large.buffer);
});

it("does not mix up what large batches bring, while their memory goes round", async () => {
  const { api, collector, database } = await startCollector({ limits: { backlogBytes: 3 * MIB } });
  const [batches, rows] = [60, 1_000];
  let next = 0;
  const send = async () => {
    for (let batch = next++; batch < batches; batch = next++) {
      const records = Array.from({ length: rows }, (_, i) => ({
        id: `${batch}-${i}`,
        inputs: { batch, i, text: `text ${batch} ${i} ${"x".repeat(i % 50)}` },
      }));
      expect((await post(api, "records", records)).answer).toMatchObject({ stored: rows });
    }
  };
  await Promise.all([send(), send(), send()]);
  await collector.flush();
  const [found] = await database.all(
    `select count(*)::int as rows, count(distinct record_id)::int as ids,
       count_if(record_id = in_batch::int || '-' || in_i::int
         and in_text = 'text ' || in_batch::int || ' ' || in_i::int || ' ' || repeat('x', in_i::int % 50))::int as whole
     from views.m`,
  );
  expect(found).toEqual({ rows: batches * rows, ids: batches * rows, whole: batches * rows });
});
