import assert from "node:assert/strict";
import { test } from "node:test";
import type { Device, Risk } from "../../src/wire";
import { isKeptElsewhere, leftOutText, openText, unseenText } from "../../src/words/elsewhere";

function device(verdictId: string | null, open: unknown): Device {
  return { verdict_id: verdictId, open } as Device;
}

test("nothing is said to be open only where nothing is open anywhere", () => {
  assert.equal(isKeptElsewhere(device("v", null)), true);
  assert.equal(isKeptElsewhere(device("v", {})), false);
  assert.equal(isKeptElsewhere(device(null, null)), false);
  assert.equal(isKeptElsewhere(null), false);
});

test("whoever has a risk was seen, here or elsewhere", () => {
  const risk = (band: Risk["band"]) => ({ risk: { score: null, trust: null, band } as Risk });
  assert.equal(unseenText(risk("unknown")), "never");
  assert.equal(unseenText(risk("low")), "by another process");
  assert.equal(unseenText(null), "never");
});

test("what other processes keep is counted apart, and named where it is left out", () => {
  assert.equal(openText({ verdicts_open: 1_204, verdicts_elsewhere: 0 }), "1,204");
  assert.equal(openText({ verdicts_open: 3, verdicts_elsewhere: 17 }), "3 here, 17 raised by others or before this process began");
  assert.equal(leftOutText(0), "");
  assert.match(leftOutText(1), /^1 more device has an open verdict/);
  assert.match(leftOutText(17), /^17 more devices have an open verdict/);
});
