/** A profile in plain words: what is expected of a device type, and what is found when it is not so. */

import type { Profile, ProfileCommands, ProfileRange, ProfileWhom } from "../wire";
import { plural } from "./names";

export interface Expectation {
  name: string;
  /** What is normal, with its unit. */
  normal: string;
  /** What is found, and how soon. */
  found: string;
}

export interface Expectations {
  written: Expectation[];
  /** Names of what nothing is written about. */
  unwritten: string[];
  /** How much of what is honest lies outside of ranges; empty without any. */
  coverage: string;
}

type Unit = "bytes" | "A" | "rpm" | "s" | "%" | "";

const BYTES = ["B", "KB", "MB", "GB", "TB", "PB"];

/** As exact as it was written: six digits tell 1.25 from 1.255. */
function exact(value: number): string {
  return Number(value.toPrecision(6)).toLocaleString("en-US", { maximumFractionDigits: 6 });
}

/** A number and its unit, as people write them. */
function parts(value: number, unit: Unit): [string, string] {
  if (unit === "bytes") {
    const step = value === 0 ? 0 : Math.floor(Math.log10(Math.abs(value)) / 3);
    const at = Math.min(Math.max(step, 0), BYTES.length - 1);
    return [exact(value / 1000 ** at), BYTES[at] ?? "B"];
  }
  if (unit === "s") {
    if (value >= 3_600 && value % 3_600 === 0) return [exact(value / 3_600), "h"];
    return value >= 120 && value % 60 === 0 ? [exact(value / 60), "min"] : [exact(value), "s"];
  }
  return [exact(unit === "%" ? value * 100 : value), unit];
}

export function amountText(value: number, unit: Unit): string {
  return parts(value, unit).join(" ").trim();
}

/** `50–150 MB`; one end alone if both are the same; two units where they differ. */
export function rangeText({ low, high }: { low: number; high: number }, unit: Unit): string {
  if (low === high) return amountText(high, unit);
  const [from, of] = parts(low, unit);
  const [, to] = parts(high, unit);
  return of === to || low === 0 ? `${from}–${amountText(high, unit)}` : `${amountText(low, unit)} – ${amountText(high, unit)}`;
}

export function shareText(share: number | null): string {
  return share === null ? "–" : amountText(share, "%");
}

/** `Mon-Fri 06:00-22:00` is "Mon–Fri 06:00–22:00"; without days it is every day. */
function spanText(span: string): string {
  if (span === "always") return "always";
  const text = span.replaceAll("-", "–");
  return /^\d/.test(text) ? `${text} every day` : text;
}

export function hoursText(hours: NonNullable<Profile["active_hours"]>, zone: string): string {
  const spans = hours.spans.map(spanText);
  if (spans.length === 1 && spans[0] === "always") return "always";
  const grace = hours.grace_min === 0 ? "" : `, ${hours.grace_min} min of grace at both ends`;
  return `${spans.join("; ")} (${zone})${grace}`;
}

/** Whom a line of a profile means. */
export function whomText({ kind, name }: ProfileWhom): string {
  switch (kind) {
    case "role":
      return `servers with the role ${name}`;
    case "type":
      return `devices of type ${name}`;
    case "network":
      return `the network ${name}`;
    default:
      return name;
  }
}

const USUAL_COVERAGE = 0.95;

function outside(coverage: number): string {
  return `${exact((1 - coverage) * 100)} of 100`;
}

/** How much of honest behaviour lies outside, where that is not what it usually is. */
function unusual({ coverage }: ProfileRange): string {
  return coverage === USUAL_COVERAGE ? "" : ` ${outside(coverage)} honest ones lie outside.`;
}

/** What is expected of numbers and times. */
export function expectations(profile: Profile): Expectations {
  const written: Expectation[] = [];
  const unwritten: string[] = [];
  const off = new Set(profile.detectors.filter((setting) => setting.off).map(({ detector }) => detector));
  const say = (detector: string, name: string, normal: string | null, found: string) => {
    if (normal === null) unwritten.push(name.toLowerCase());
    else written.push({ name, normal, found: off.has(detector) ? "Not looked at: switched off for this type." : found });
  };
  const { volume_per_hour: volume, active_hours: hours, cadence, current, spindle } = profile;
  const byEvidence = (range: ProfileRange | null) =>
    range === null ? "" : `Lasting shifts, by evidence.${unusual(range)}`;

  say(
    "traffic_volume",
    "Volume per hour",
    volume === null ? null : `${rangeText(volume, "bytes")} of ${bytesName(volume.bytes)}, both directions`,
    volume === null ? "" : volumeFound(volume),
  );
  say("upload_ratio", "Share of bytes it sends", profile.upload_share && rangeText(profile.upload_share, "%"), byEvidence(profile.upload_share));
  say(
    "connection_rate",
    "Connections per hour",
    profile.connections_per_hour && rangeText(profile.connections_per_hour, ""),
    byEvidence(profile.connections_per_hour),
  );
  say(
    "cadence",
    "Cadence",
    cadence &&
      `${rangeText(cadence.bytes, "bytes")} every ${amountText(cadence.period_s, "s")}, give or take ${amountText(cadence.jitter_s, "s")}`,
    "Another size or another rhythm, by evidence.",
  );
  say("off_hours", "Active hours", hours && hoursText(hours, profile.timezone), hours === null || isAlways(hours) ? "" : "A connection outside of them.");
  say("silence", "Silence", silenceText(profile), silenceFound(profile));
  say("current_draw", "Idle current", current && rangeText(current.idle_a, "A"), "Between idle and active for three samples, by evidence.");
  say("current_draw", "Active current", current && rangeText(current.active_a, "A"), current === null ? "" : activeFound(current));
  say(
    "spindle_speed",
    "Spindle speed",
    spindle && rangeText(spindle.rpm, "rpm"),
    spindle === null ? "" : `Above ${amountText(spindle.limit_rpm, "rpm")}, at once. A current that contradicts it, by evidence.`,
  );
  for (const load of profile.load) {
    const mean = load.mean_a === null ? "" : `; ${rangeText(load.mean_a, "A")} in the mean of a quarter of an hour`;
    say(
      "spindle_speed",
      `Current at ${rangeText({ low: load.from_rpm, high: load.to_rpm }, "rpm")}`,
      rangeText(load.current_a, "A") + mean,
      "A current that does not go with the speed, by evidence.",
    );
  }
  say("frozen_sensor", "Sensors that never rest", profile.frozen && frozenText(profile.frozen), "Exactly the same value for longer.");
  const { hosts, ports, failed } = profile.scan;
  say(
    "scan",
    "Fan-out per hour",
    `up to ${plural(hosts, "host")}, ${plural(ports, "port")}, ${plural(failed, "failed connection")}`,
    "More of any of them, at once: a scan.",
  );
  const isRanged = [volume, profile.upload_share, profile.connections_per_hour].some((range) => range !== null);
  const coverage = isRanged
    ? `${outside(USUAL_COVERAGE)} honest hours lie outside a range, unless another share is named: a single hour outside is no finding.`
    : "";
  return { written, unwritten, coverage };
}

/** Silence is watched for whether anything is written of it or not. */
function silenceText({ silence_s, silence_by }: Profile): string {
  if (silence_by === "hour") return "heard of in every full hour, because nothing else is written";
  const of = silence_by === "cadence" ? ": three periods of its cadence" : "";
  return `heard of at least every ${amountText(silence_s, "s")}${of}`;
}

function silenceFound({ silence_by, active_hours: hours }: Profile): string {
  const when = hours === null || isAlways(hours) ? "" : " inside active hours";
  return silence_by === "hour" ? `Nothing for a full hour${when}.` : `Nothing for longer than that${when}.`;
}

/** What stands in place of peers where none are named. */
export function withoutPeers({ destinations, clients }: Profile): { destinations: string; clients: string } {
  if (destinations.length === 0 && clients.length === 0) {
    return {
      destinations: "Nothing is written: no connection is found to be outside the profile.",
      clients: "Nothing is written.",
    };
  }
  return { destinations: "Nobody: every connection that it opens is outside the profile.", clients: "Nobody else." };
}

function volumeFound(volume: NonNullable<Profile["volume_per_hour"]>): string {
  const times = volume.limit_is_written ? "" : ` (${exact(volume.limit / volume.high)} times the upper end)`;
  return `More than ${amountText(volume.limit, "bytes")}${times}, at once. Lasting shifts, by evidence.${unusual(volume)}`;
}

function activeFound(current: NonNullable<Profile["current"]>): string {
  const limit = current.limit_a === null ? "" : `Above ${amountText(current.limit_a, "A")} for three samples. `;
  return `${limit}A working current outside active hours. Above the range for three samples, by evidence.`;
}

function isAlways(hours: NonNullable<Profile["active_hours"]>): boolean {
  return hours.spans.includes("always");
}

const KINDS: Record<string, string> = { payload: "payload", ip: "IP packets", frame: "whole frames" };

function bytesName(kind: string): string {
  return KINDS[kind] ?? kind;
}

function frozenText(frozen: NonNullable<Profile["frozen"]>): string {
  const said: [string, number | null][] = [
    ["idle current", frozen.idle_s],
    ["active current", frozen.active_s],
    ["spindle speed", frozen.turning_s],
  ];
  const known = said.filter((one): one is [string, number] => one[1] !== null);
  return known.map(([name, seconds]) => `${name} changes within ${amountText(seconds, "s")}`).join(", ");
}

/** Commands by protocol: `modbus: read coils, read holding registers`. */
export function commandLines({ names }: ProfileCommands): { protocol: string; commands: string }[] {
  const by = new Map<string, string[]>();
  for (const name of names) {
    const dot = name.indexOf(".");
    const protocol = dot === -1 ? "" : name.slice(0, dot);
    by.set(protocol, [...(by.get(protocol) ?? []), name.slice(dot + 1).replaceAll("_", " ")]);
  }
  return [...by].map(([protocol, commands]) => ({ protocol, commands: commands.join(", ") }));
}

/** Between whom commands are exchanged. */
export function commandPeers({ peers }: ProfileCommands): string {
  return peers.length === 0 ? "anybody" : peers.map(whomText).join(", ");
}
