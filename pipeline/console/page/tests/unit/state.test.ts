import assert from "node:assert/strict";
import { test } from "node:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { EventParser } from "../../src/net/sse";
import { OpenVerdicts, PlantModel, total } from "../../src/state/model";
import { parse } from "../../src/state/route";
import { splitToken } from "../../src/state/token";
import type { Board, Counts, VerdictRow } from "../../src/wire";

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

test("a verdict turns its lamp and the counts, and its clear turns them back", () => {
  const model = new PlantModel(board());
  assert.equal(model.verdict(verdict({})), "cell");
  assert.deepEqual(model.counts, counts({ high: 1, unknown: 1 }));
  assert.equal(model.light("agv-2")?.since, "2025-12-14T01:30:00Z");
  model.verdict(verdict({ revision: 2, state: "cleared" }));
  assert.deepEqual(model.segments.get("cell")?.counts, counts({ normal: 1, unknown: 1 }));
  assert.equal(total(model.counts), 2);
});

test("lamps keep the order they came in, whatever happens to them", () => {
  const model = new PlantModel(board());
  model.verdict(verdict({ grade: "CRITICAL" }));
  assert.deepEqual(model.segments.get("cell")?.groups?.[0]?.lights.map(({ id }) => id), ["agv-2", "agv-1"]);
});

test("a change of a lamp that is not loaded asks for a recount and invents nothing", () => {
  const model = new PlantModel(board());
  assert.equal(model.verdict(verdict({ device_id: "ip:10.0.0.9" })), null);
  assert.equal(model.isRough, true);
  assert.equal(total(model.counts), 2);
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
