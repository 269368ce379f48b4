import assert from "node:assert/strict";
import { test } from "node:test";
import { widened, type Rows } from "../../src/ui/window";

test("rows that were in sight stay, and nothing is made anew for those that are there", () => {
  const there: Rows = [0, 40];
  assert.equal(widened(there, [10, 40], 100), there);
  assert.deepEqual(widened(there, [5, 50], 100), [0, 50]);
});

test("of more rows than there is room for those that lie behind go, and never one in sight", () => {
  assert.deepEqual(widened([0, 100], [60, 110], 100), [10, 110]);
  assert.deepEqual(widened([50, 150], [40, 90], 100), [40, 140]);
  // There is not even room for what is in sight.
  assert.deepEqual(widened([0, 40], [5, 60], 30), [5, 60]);
});

test("after a jump only what is in sight is there", () => {
  assert.deepEqual(widened([0, 40], [500, 560], 100), [500, 560]);
  assert.deepEqual(widened([500, 560], [0, 40], 100), [0, 40]);
});

test("whatever is scrolled to is there, at once and within the room", () => {
  let [there, at]: [Rows, number] = [[0, 40], 0];
  for (const step of [3, 17, 39, -5, 60, -38, -1, 200, -39, -39, 12]) {
    at = Math.max(0, at + step);
    there = widened(there, [at, at + 40], 100);
    assert.ok(there[0] <= at && there[1] >= at + 40, `${there} lacks some of ${at}`);
    assert.ok(there[1] - there[0] <= 100, `${there}`);
  }
});
