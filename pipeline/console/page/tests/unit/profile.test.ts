import assert from "node:assert/strict";
import { test } from "node:test";
import { amountText, commandLines, commandPeers, expectations, hoursText, rangeText, whomText, withoutPeers } from "../../src/words/profile";
import { isAhead } from "../../src/words/time";
import type { Profile } from "../../src/wire";

test("amounts and ranges are as exact as they were written, each with its unit", () => {
  assert.deepEqual(
    [rangeText({ low: 50e6, high: 150e6 }, "bytes"), rangeText({ low: 500e3, high: 1.25e6 }, "bytes")],
    ["50–150 MB", "500 KB – 1.25 MB"],
  );
  assert.equal(rangeText({ low: 0, high: 12_000 }, "rpm"), "0–12,000 rpm");
  assert.equal(rangeText({ low: 0.725, high: 0.78 }, "%"), "72.5–78 %");
  assert.equal(rangeText({ low: 48, high: 48 }, "bytes"), "48 B");
  assert.equal(rangeText({ low: 0, high: 1e9 }, "bytes"), "0–1 GB");
  assert.deepEqual([amountText(60, "s"), amountText(900, "s"), amountText(7_200, "s"), amountText(0.5, "s")], ["60 s", "15 min", "2 h", "0.5 s"]);
  assert.equal(amountText(0.001, "%"), "0.1 %");
});

test("hours are said with their days and the plant's time zone", () => {
  const zone = "Europe/Berlin";
  assert.equal(hoursText({ spans: ["06:00-22:00"], grace_min: 0 }, zone), "06:00–22:00 every day (Europe/Berlin)");
  assert.equal(
    hoursText({ spans: ["Mon-Fri 06:00-22:00", "Sat 06:00-14:00"], grace_min: 15 }, zone),
    "Mon–Fri 06:00–22:00; Sat 06:00–14:00 (Europe/Berlin), 15 min of grace at both ends",
  );
  assert.equal(hoursText({ spans: ["always"], grace_min: 0 }, zone), "always");
});

test("whom a line means is told by what kind of name it is", () => {
  assert.equal(whomText({ kind: "role", name: "ntp" }), "servers with the role ntp");
  assert.equal(whomText({ kind: "network", name: "10.1.0.0/16" }), "the network 10.1.0.0/16");
  assert.equal(whomText({ kind: "name", name: "a.mfg.local" }), "a.mfg.local");
  const rule = { names: ["modbus.read_coils", "cip.read_tag", "modbus.umas"], peers: [] };
  assert.deepEqual(commandLines(rule), [
    { protocol: "modbus", commands: "read coils, umas" },
    { protocol: "cip", commands: "read tag" },
  ]);
  assert.equal(commandPeers(rule), "anybody");
});

const EMPTY: Profile = {
  device_type: "pump", version: "1", hash: "a", description: "", calibrated: false, devices: 0,
  counts: { critical: 0, high: 0, medium: 0, low: 0, normal: 0, unknown: 0 },
  timezone: "UTC", extends: [], controller: false, destinations: [], clients: [], protocols: [],
  sends: null, accepts: null, volume_per_hour: null, upload_share: null, connections_per_hour: null,
  active_hours: null, cadence: null, current: null, spindle: null, load: [], frozen: null, firmware: [],
  scan: { hosts: 1, ports: 20, failed: 20 }, silence_s: 3_600, silence_by: "hour", detectors: [], calibration: null, learned: [], yaml: "",
};

test("what nothing is written about is named, and not made up", () => {
  const { written, unwritten, coverage } = expectations(EMPTY);
  assert.deepEqual(written.map(({ name }) => name), ["Silence", "Fan-out per hour"]);
  assert.equal(written[1]?.normal, "up to 1 host, 20 ports, 20 failed connections");
  for (const name of ["volume per hour", "active hours", "spindle speed"]) assert.ok(unwritten.includes(name), name);
  assert.equal(coverage, "");
});

test("silence is watched for without a word of it, and it says from where the time is", () => {
  const said = (changed: object) => {
    const { written } = expectations({ ...EMPTY, ...changed });
    return written.filter(({ name }) => name === "Silence").map(({ normal, found }) => `${normal} | ${found}`)[0];
  };
  const hours = { spans: ["06:00-22:00"], grace_min: 0 };
  assert.equal(said({}), "heard of in every full hour, because nothing else is written | Nothing for a full hour.");
  assert.equal(
    said({ silence_s: 21, silence_by: "cadence", active_hours: hours }),
    "heard of at least every 21 s: three periods of its cadence | Nothing for longer than that inside active hours.",
  );
  assert.equal(
    said({ silence_s: 900, silence_by: "written" }),
    "heard of at least every 15 min | Nothing for longer than that.",
  );
});

test("nobody is outside of what nobody wrote", () => {
  const peer = { kind: "name" as const, name: "a.mfg.local", share: null, safety: false, over: [] };
  assert.match(withoutPeers(EMPTY).destinations, /^Nothing is written: no connection is found/);
  assert.equal(withoutPeers(EMPTY).clients, "Nothing is written.");
  assert.match(withoutPeers({ ...EMPTY, clients: [peer] }).destinations, /^Nobody: every connection that it opens/);
  assert.equal(withoutPeers({ ...EMPTY, destinations: [peer] }).clients, "Nobody else.");
});

test("what is switched off finds nothing", () => {
  const { written } = expectations({ ...EMPTY, detectors: [{ detector: "scan", off: true, grade: null }] });
  assert.deepEqual(written.map(({ found }) => found).slice(1), ["Not looked at: switched off for this type."]);
});

test("a limit says whether it was written, and a range what lies outside if that is not the usual", () => {
  const volume = { low: 50e6, high: 150e6, coverage: 0.95, bytes: "payload", limit: 450e6, limit_is_written: false, baseline: 1 };
  const found = (changed: object) =>
    expectations({ ...EMPTY, volume_per_hour: { ...volume, ...changed } }).written[0]?.found;
  assert.equal(found({}), "More than 450 MB (3 times the upper end), at once. Lasting shifts, by evidence.");
  assert.equal(
    found({ limit: 1e9, limit_is_written: true, coverage: 0.9 }),
    "More than 1 GB, at once. Lasting shifts, by evidence. 10 of 100 honest ones lie outside.",
  );
});

test("a moment that has come is not ahead, and none at all is not either", () => {
  const at = "2025-12-14T01:30:00Z";
  assert.deepEqual(
    [isAhead(at, "2025-12-14T01:29:59Z"), isAhead(at, at), isAhead(at, "2025-12-14T01:31:00Z"), isAhead(null, at)],
    [true, false, false, false],
  );
});
