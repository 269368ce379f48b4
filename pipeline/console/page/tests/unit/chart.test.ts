import assert from "node:assert/strict";
import { test } from "node:test";
import type { Signal } from "../../src/wire";
import { chart, measureText } from "../../src/words/chart";

function signal(given: Partial<Signal> = {}): Signal {
  return {
    detector: "traffic_volume",
    name: "moved in the hour",
    unit: "bytes",
    bands: [{ name: "expected", low: 1_440_000, high: 1_440_000 }],
    lines: [{ name: "the rule is at", at: 4_320_000 }],
    points: [
      { at: "2025-12-14T01:30:00Z", value: 100_000_000 },
      { at: "2025-12-14T02:00:00Z", value: 500_000_000 },
    ],
    ...given,
  };
}

test("a chart begins at zero, and what is five times as much is five times as high", () => {
  const drawing = chart(signal(), 300, 100);
  assert.deepEqual(drawing?.dots.map(({ x, y }) => [x, y]), [[0, 80], [300, 0]]);
  assert.ok((drawing?.bands[0]?.height ?? 0) >= 3, "the band is to be seen");
});

test("texts beside a chart do not cover each other and stay inside", () => {
  for (const points of [signal().points, [{ at: "2025-12-14T01:30:00Z", value: 1_400_000 }]]) {
    const marks = chart(signal({ points }), 300, 88)?.marks ?? [];
    assert.equal(marks.length, 3);
    const places = marks.map(({ textY }) => textY).sort((a, b) => a - b);
    places.forEach((y, index) => {
      assert.ok(y >= 0 && y <= 88, `${y}`);
      if (index > 0) assert.ok(y - (places[index - 1] ?? 0) >= 13);
    });
  }
});

test("nothing measured is nothing drawn, and zero everywhere is no division by it", () => {
  assert.equal(chart(signal({ points: [] }), 300, 88), null);
  assert.equal(chart(signal({ points: [{ at: "never", value: 1 }] }), 300, 88), null);
  const none = chart(signal({ bands: [], lines: [], points: [{ at: "2025-12-14T01:30:00Z", value: 0 }] }), 300, 88);
  assert.equal(none?.dots[0]?.y, 88);
});

test("measures have their units", () => {
  assert.equal(measureText(0.25, "share"), "25 %");
  assert.equal(measureText(180, "seconds"), "3 min");
  assert.equal(measureText(12.28, "amperes"), "12.3 A");
});
