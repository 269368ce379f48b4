import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { EventParser } from "../../src/net/sse";
import { OpenVerdicts, PlantModel, total } from "../../src/state/model";
import { parse } from "../../src/state/route";
import { splitToken } from "../../src/state/token";
import type { Board, Counts, Lamp, RiskEvent, VerdictRow } from "../../src/wire";

function counts(given: Partial<Counts>): Counts {
  return { critical: 0, high: 0, medium: 0, low: 0, normal: 0, unknown: 0, ...given };
}

function board(): Board {
  return {
    seq: "b-1",
    at: null,
    counts: counts({ normal: 1, unknown: 1 }),
    segments: [
      {
        id: "cell",
        counts: counts({ normal: 1, unknown: 1 }),
        lamps: [
          ["agv-2", "agv", "normal", 0, null],
          ["agv-1", "agv", "unknown", null, null],
        ],
      },
    ],
  };
}

function verdict(given: Partial<VerdictRow>): VerdictRow {
  return {
    verdict_id: "v1",
    revision: 1,
    state: "raised",
    device_id: "agv-2",
    device_type: "agv",
    segment: "cell",
    grade: "HIGH",
    event_time: "2025-12-14T01:30:00Z",
    updated: "2025-12-14T01:30:00Z",
    sentence: "",
    action: "isolate",
    approval: "automatic",
    mode: "monitor",
    detectors: [],
    ...given,
  };
}

function risk(device: string, lamp: Lamp): RiskEvent {
  return { device_id: device, event_time: "2025-12-14T02:00:00Z", verdict_id: null, lamp, score: 0, trust: 100, band: "low" };
}

test("a verdict turns its lamp and the counts, and the risk after its end turns them back", () => {
  const model = new PlantModel(board());
  assert.equal(model.verdict(verdict({}), 2), "cell");
  assert.deepEqual(model.counts, counts({ high: 1, unknown: 1 }));
  assert.equal(model.light("agv-2")?.since, "2025-12-14T01:30:00Z");
  model.verdict(verdict({ revision: 2, state: "cleared" }), 3);
  model.risk(risk("agv-2", "unknown"), 4);
  assert.deepEqual(model.segments.get("cell")?.counts, counts({ unknown: 2 }));
  assert.equal(model.light("agv-2")?.since, null);
  assert.equal(total(model.counts), 2);
});

test("lamps keep the order they came in, whatever happens to them", () => {
  const model = new PlantModel(board());
  model.verdict(verdict({ grade: "CRITICAL" }), 2);
  assert.deepEqual(model.segments.get("cell")?.groups?.[0]?.lights.map(({ id }) => id), ["agv-2", "agv-1"]);
});

test("an answer that events have overtaken turns nothing back, and one that is newer does", () => {
  const model = new PlantModel(board());
  const light = model.light("agv-2");
  model.verdict(verdict({}), 7);
  model.recount({ ...board(), seq: "b-5" });
  assert.equal(light?.lamp, "high");
  assert.deepEqual(model.counts, counts({ high: 1, unknown: 1 }));
  model.recount({ ...board(), seq: "b-9" });
  assert.equal(light?.lamp, "normal");
  assert.equal(model.light("agv-2"), light, "the lamp stays where it hangs");
  // The stream is behind: what it tells is in the answer already.
  model.verdict(verdict({ grade: "CRITICAL" }), 8);
  assert.equal(light?.lamp, "normal");
  // Of another process nothing is comparable.
  model.recount({ ...board(), seq: "other-99", counts: counts({ critical: 2 }) });
  assert.deepEqual(model.counts, counts({ normal: 1, unknown: 1 }));
});

test("a lamp is drawn again once it turns or its order moves, and no other one is", () => {
  const model = new PlantModel(board());
  assert.deepEqual(model.takeTouched(), []);
  assert.equal(model.reword("agv-2"), "cell");
  assert.equal(model.reword("nobody"), null);
  assert.deepEqual(model.takeTouched().map(({ id, changes }) => [id, changes]), [["agv-2", 0]]);
  model.risk(risk("agv-1", "normal"), 2);
  assert.deepEqual(model.takeTouched().map(({ id, changes }) => [id, changes]), [["agv-1", 1]]);
  model.recount({ ...board(), seq: "b-9" });
  assert.deepEqual(model.takeTouched().map(({ id, changes }) => [id, changes]), [["agv-2", 0], ["agv-1", 2]]);
});

function large(seq: string, given: Partial<Counts>): Board {
  return { seq, at: null, counts: counts(given), segments: [{ id: "cell", counts: counts(given), lamps: null }] };
}

test("what is not in the inventory has no lamp and no count", () => {
  const model = new PlantModel(board());
  assert.equal(model.verdict(verdict({ device_id: "ip:10.0.0.9" }), 2), null);
  assert.equal(model.isRough, false);
  assert.equal(total(model.counts), 2);
});

test("a change of a lamp that is not loaded asks for a recount and invents nothing", () => {
  const model = new PlantModel(large("b-1", { normal: 2 }));
  assert.equal(model.verdict(verdict({}), 5), null);
  assert.equal(model.isRough, true);
  assert.equal(total(model.counts), 2);
  // Asked for before the event: what it says is older, so it is asked for again.
  model.recount(large("b-4", { normal: 2 }));
  assert.equal(model.isRough, true);
  model.recount(large("b-5", { normal: 1, high: 1 }));
  assert.equal(model.isRough, false);
  model.recount(large("b-2", { normal: 2 }));
  assert.deepEqual(model.counts, counts({ normal: 1, high: 1 }));
});

test("open verdicts are listed worst first, then newest first; a revision counts once", () => {
  const open = new OpenVerdicts();
  open.apply(verdict({ verdict_id: "old", event_time: "2025-12-14T01:00:00Z" }));
  open.apply(verdict({ verdict_id: "new" }));
  open.apply(verdict({ verdict_id: "worst", grade: "CRITICAL", event_time: "2025-12-13T01:00:00Z" }));
  assert.deepEqual(open.sorted().map((row) => row.verdict_id), ["worst", "new", "old"]);
  assert.equal(open.apply(verdict({ verdict_id: "new" })), false);
  assert.equal(open.apply(verdict({ verdict_id: "new", revision: 2, state: "cleared" })), true);
  assert.equal(open.has("new"), false);
  assert.equal(open.of("agv-2")?.verdict_id, "worst", "the device's own is another");
});

test("what a risk of later does not name is open no more", () => {
  const open = new OpenVerdicts();
  open.apply(verdict({ verdict_id: "mine", updated: "2025-12-14T02:00:00Z" }));
  const risk = (time: string, verdictId: string | null) =>
    ({ device_id: "agv-2", event_time: time, verdict_id: verdictId }) as RiskEvent;
  assert.equal(open.drop(risk("2025-12-14T03:00:00Z", "mine")), false);
  assert.equal(open.drop(risk("2025-12-14T01:00:00Z", null)), false, "it is older");
  assert.equal(open.drop({ ...risk("2025-12-14T03:00:00Z", null), device_id: "agv-1" }), false);
  assert.equal(open.drop(risk("2025-12-14T03:00:00Z", null)), true);
  assert.deepEqual([open.sorted(), open.of("agv-2"), open.has("mine")], [[], undefined, false]);
  assert.equal(open.drop(risk("2025-12-14T04:00:00Z", null)), false);
});

test("a stream is read alike wherever it is cut", () => {
  const text = ": beat\r\n\r\nid: b-7\r\nevent: risk\r\ndata: {\r\ndata: }\r\n\r\nid: b-8\n\ndata:x\n\n";
  for (let size = 1; size <= text.length; size += 1) {
    const parser = new EventParser();
    const found = [];
    for (let at = 0; at < text.length; at += size) found.push(...parser.push(text.slice(at, at + size)));
    assert.deepEqual(
      found,
      [
        { id: "b-7", event: "risk", data: "{\n}" },
        { id: "b-8", event: "message", data: "x" },
      ],
      `pieces of ${size}`,
    );
  }
});

test("addresses name their view", () => {
  assert.deepEqual(parse("#/devices/agv%2F1"), { view: "device", id: "agv/1" });
  assert.deepEqual(parse(""), { view: "board" });
  assert.equal(parse("#/a/b/c").view, "nowhere");
  assert.equal(parse("#/devices/%E0%A4%A").view, "device");
});

test("a token is taken out of the address, and nothing else is", () => {
  assert.deepEqual(splitToken("#token=a%2Bb"), { token: "a+b", rest: "" });
  assert.deepEqual(splitToken("#/approvals?token=t"), { token: "t", rest: "#/approvals" });
  assert.deepEqual(splitToken("#/devices?q=x&token=t"), { token: "t", rest: "#/devices?q=x" });
  assert.deepEqual(splitToken("#/devices?q=x"), { token: "", rest: "#/devices?q=x" });
});

function luminance(hex: string): number {
  const part = (at: number) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
}

test("colours contrast enough: 4.5 for text, 3 for lamps, in light and dark", () => {
  const css = readFileSync(join(process.env["PAGE_ROOT"] ?? "", "src/style/base.css"), "utf8");
  const schemes = css.split("prefers-color-scheme: dark");
  assert.equal(schemes.length, 2);
  for (const scheme of schemes) {
    const colours = new Map([...scheme.matchAll(/--([a-z-]+): (#[0-9a-f]{6});/g)].map((m) => [m[1] ?? "", m[2] ?? ""]));
    const against = (name: string, ground: string) => {
      const [a = 0, b = 0] = [name, ground].map((key) => luminance(colours.get(key) ?? "")).sort((x, y) => y - x);
      return (a + 0.05) / (b + 0.05);
    };
    for (const ground of ["page", "raised"]) {
      for (const text of ["ink", "quiet", "critical-text", "high-text", "medium-text", "low-text"]) {
        assert.ok(against(text, ground) >= 4.5, `${text} on ${ground}: ${against(text, ground)}`);
      }
      for (const lamp of ["critical", "high", "medium", "low", "faint"]) {
        assert.ok(against(lamp, ground) >= 3, `${lamp} on ${ground}: ${against(lamp, ground)}`);
      }
    }
  }
});
