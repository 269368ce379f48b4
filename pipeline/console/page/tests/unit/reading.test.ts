import assert from "node:assert/strict";
import { test } from "node:test";
import { Reader } from "../../src/state/reading";

/** A reader whose readings end when a test says so. */
function reader() {
  const ends: (() => void)[] = [];
  const own = new Reader(() => new Promise((done) => ends.push(done)), () => Promise.resolve());
  const settle = () => new Promise((done) => setImmediate(done));
  return { own, ends, settle };
}

test("news while it reads make one more reading, however many they are", async () => {
  const { own, ends, settle } = reader();
  void own.again();
  for (let news = 0; news < 100; news += 1) void own.again();
  assert.equal(ends.length, 1, "one reading at a time");
  ends[0]?.();
  await settle();
  assert.equal(ends.length, 2);
  ends[1]?.();
  await settle();
  assert.equal(ends.length, 2, "nothing is left to read");
  void own.again();
  assert.equal(ends.length, 3);
});

test("a view that is left reads no more", async () => {
  const { own, ends, settle } = reader();
  void own.again();
  void own.again();
  own.stop();
  ends[0]?.();
  await settle();
  assert.equal(ends.length, 1);
});
