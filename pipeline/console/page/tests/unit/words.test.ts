import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesText, digits, facts } from "../../src/words/facts";
import { spoken } from "../../src/words/names";
import { consequence, consequenceText, responseState } from "../../src/words/response";
import { steps } from "../../src/words/steps";
import { ageText, PlantClock, spanText } from "../../src/words/time";
import type { Response, VerdictRow } from "../../src/wire";

test("spans are said as people say them", () => {
  assert.deepEqual(
    [0, 59_000, 180_000, 3_600_000, 7_500_000, 90_000_000, 4 * 86_400_000].map(spanText),
    ["0 s", "59 s", "3 min", "1 h", "2 h 5 min", "1 day", "4 days"],
  );
});

test("an age is measured by the plant's clock, and nothing is said without one", () => {
  assert.equal(ageText("2025-12-14T01:30:00Z", "2025-12-14T01:33:00Z"), "3 min ago");
  assert.equal(ageText("2025-12-14T01:30:00Z", "2025-12-14T01:30:10Z"), "just now");
  assert.equal(ageText("2025-12-14T01:30:00Z", null), "");
  assert.equal(ageText("nonsense", "2025-12-14T01:30:00Z"), "");
});

test("moments are written in the plant's zone, and an unknown zone falls back to UTC by name", () => {
  assert.equal(new PlantClock("Europe/Berlin").day("2025-12-14T01:30:00Z"), "Sun 02:30");
  const fallback = new PlantClock("Nowhere/City");
  assert.deepEqual([fallback.zone, fallback.short("2025-12-14T01:30:00Z")], ["UTC", "01:30"]);
  assert.equal(fallback.day(null), "–");
});

test("facts have the units of their keys", () => {
  const told = facts({ bytes: 5e8, current_a: [2, 8], silent_s: 300, upload_share: 0.4, port: 22, peer: null });
  assert.deepEqual(
    told.map(({ name, text }) => `${name}: ${text}`),
    ["bytes: 500 MB", "current: 2 A – 8 A", "silent: 5 min", "upload share: 40 %", "port: 22"],
  );
  // A port is a name, a range without width a value, an empty text nothing, a moment one for people.
  const others = facts({ port: 44818, bytes: [5e6, 5e6], note: "", start: "2025-12-14T01:30:00.000000Z" });
  assert.deepEqual(
    others.map(({ name, text }) => `${name}: ${text}`),
    ["port: 44818", "bytes: 5 MB", "start: 2025-12-14 01:30:00 UTC"],
  );
});

test("numbers keep three digits and round up to the next unit", () => {
  assert.deepEqual([999, 999.6, 1440000].map(bytesText), ["999 B", "1 KB", "1.44 MB"]);
  assert.deepEqual([0, 0.00012, 3.14159, 12345, Number.NaN].map(digits), ["0", "1.2e-4", "3.14", "12,345", "–"]);
});

test("types are spoken", () => {
  assert.equal(spoken("cnc_controller_fanuc"), "CNC controller Fanuc");
  assert.equal(spoken("rfid_reader"), "RFID reader");
});

const quarantine: Response = {
  action: "quarantine",
  mode: "enforce",
  scope: [],
  exceptions: [{ peer: "safety-plc.mfg.local", transport: "udp", port: 44818 }],
  expires: null,
  approval: "required",
  note: "",
  notify: [],
};

test("the consequence of a quarantine names what stays up", () => {
  const text = consequenceText("agv-01-0012", quarantine, false);
  assert.match(text, /agv-01-0012 will lose every connection/);
  assert.match(text, /safety-plc\.mfg\.local \(udp port 44818\)/);
});

test("a response without exceptions does not claim any", () => {
  const meant = consequence("x", { ...quarantine, exceptions: [] }, false);
  assert.deepEqual(meant.flows, []);
  assert.equal(meant.stays, "No flow of it is excepted.");
  assert.match(consequence("x", quarantine, true).cut, /^Nothing\./);
});

test("a risk that is not known leaves a gap in the line", () => {
  const at = (minute: number) => new Date(Date.UTC(2025, 0, 1, 0, minute)).toISOString();
  const history = [
    { at: at(0), score: 0, band: "low" as const },
    { at: at(5), score: null, band: "unknown" as const },
    { at: at(8), score: 100, band: "critical" as const },
  ];
  assert.deepEqual(steps(history, at(10), 100, 50)?.paths, ["M0.0 50.0H50.0", "M80.0 0.0H100.0"]);
  assert.equal(steps([], at(10), 100, 50), null);
});

test("what is only said is said as a sentence, of flows and of devices", () => {
  const row = (action: VerdictRow["action"]) => ({ action, mode: "monitor", approval: "automatic" }) as VerdictRow;
  assert.equal(responseState(row("restrict"), undefined), "offending flows would be blocked");
  assert.equal(responseState(row("quarantine"), undefined), "would be quarantined");
  assert.equal(responseState(row("log"), undefined), "logged for review");
});
