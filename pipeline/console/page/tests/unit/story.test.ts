import assert from "node:assert/strict";
import { test } from "node:test";
import { story } from "../../src/words/story";
import type { Incident, VerdictDetail } from "../../src/wire";

const incident = (judged: Incident["judged"]): Incident => ({
  incident_id: "i",
  revision: 1,
  state: "open",
  grade: "HIGH",
  began: "2025-12-14T01:30:00Z",
  last: "2025-12-14T01:40:00Z",
  over: null,
  sentence: "",
  segments: [],
  destinations: [],
  techniques: [],
  verdicts: [],
  more: 0,
  judged,
});

const detail = (mode: "monitor" | "enforce"): VerdictDetail =>
  ({
    verdict: { device_id: "plc-1" },
    signals: [],
    revisions: [
      { revision: 1, state: "raised", grade: "MEDIUM", at: "2025-12-14T01:30:00Z", sentence: "It moved much." },
      { revision: 2, state: "updated", grade: "MEDIUM", at: "2025-12-14T01:31:00Z", sentence: "It moved much." },
      { revision: 3, state: "cleared", grade: "MEDIUM", at: "2025-12-14T01:50:00Z", sentence: "It moved much." },
    ],
    commands: [
      {
        command: { response: { action: "isolate", mode } },
        history: [{ at: "2025-12-14T01:30:00Z", state: "issued", by: null, reason: "" }],
      },
    ],
  }) as unknown as VerdictDetail;

test("what was found comes before what was done about it, and nothing is told twice", () => {
  const told = story(incident(null), [detail("enforce")]).map(({ kind, what }) => `${kind} ${what}`);
  assert.deepEqual(told, [
    "found MEDIUM: It moved much.",
    "done isolation, ordered, not yet confirmed",
    "found cleared",
  ]);
});

test("what is only said is said to be, and a judgement stands in its place", () => {
  const judged = { judgement: "true_positive", by: "ada", at: "2025-12-14T01:45:00Z", note: "seen" } as const;
  const told = story(incident(judged), [detail("monitor")]);
  assert.equal(told[1]?.what, "isolation, only said: monitor mode");
  assert.equal(told[2]?.what, "judged true positive: seen");
  assert.equal(told[2]?.by, "ada");
});
