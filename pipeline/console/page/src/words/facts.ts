/**
 * The small objects of a finding in words: `{"bytes": 500000000}` is "bytes: 500 MB". Units stand in
 * the keys; a key that names none is shown as it is, never guessed at.
 */

export interface Fact {
  name: string;
  text: string;
}

type Unit = "bytes" | "a" | "rpm" | "s" | "min" | "share" | "name" | "";

const SUFFIXES: readonly [string, Unit][] = [
  ["_a", "a"],
  ["_rpm", "rpm"],
  ["_s", "s"],
];

/** Keys whose end looks like a unit and is none. */
const NO_UNIT = new Set(["samples_min", "jitter_min", "others_s"]);

/** Facts of an object, in its order; nulls are left out. */
export function facts(value: unknown): Fact[] {
  if (value === null || value === undefined) return [];
  if (typeof value !== "object" || Array.isArray(value)) {
    return [{ name: "", text: told(value, "") }];
  }
  return Object.entries(value)
    .filter(([, member]) => member !== null && member !== undefined && member !== "")
    .map(([key, member]) => fact(key, member));
}

function fact(key: string, value: unknown): Fact {
  const unit = unitOf(key);
  const suffix = SUFFIXES.find(([, of]) => of === unit)?.[0] ?? (unit === "min" ? "_min" : "");
  const name = suffix === "" ? key : key.slice(0, -suffix.length);
  return { name: name.replaceAll("_", " "), text: told(value, unit) };
}

function unitOf(key: string): Unit {
  if (NO_UNIT.has(key)) return "";
  if (key === "port" || key === "ports") return "name";
  if (key.includes("bytes")) return "bytes";
  if (key.endsWith("_min")) return "min";
  if (key.endsWith("share") || key === "coverage") return "share";
  return SUFFIXES.find(([end]) => key.endsWith(end))?.[1] ?? "";
}

function told(value: unknown, unit: Unit): string {
  if (typeof value === "number") return quantity(value, unit);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return moment(value);
  if (value === null || value === undefined) return "–";
  if (Array.isArray(value)) return list(value, unit);
  return facts(value)
    .map(({ name, text }) => `${name} ${text}`)
    .join(", ");
}

/** `2025-12-14T01:30:00.000000Z` is "2025-12-14 01:30:00 UTC"; any other text stays as it is. */
function moment(text: string): string {
  const parts = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/.exec(text);
  return parts === null ? text : `${parts[1]} ${parts[2]} UTC`;
}

function list(items: readonly unknown[], unit: Unit): string {
  if (items.length === 0) return "none";
  const isRange = items.length === 2 && items.every((item) => typeof item === "number");
  if (isRange && items[0] === items[1]) return told(items[0], unit);
  return items.map((item) => told(item, unit)).join(isRange ? " – " : ", ");
}

export function quantity(value: number, unit: Unit): string {
  switch (unit) {
    case "bytes":
      return bytesText(value);
    case "a":
      return `${digits(value)} A`;
    case "rpm":
      return `${digits(Math.round(value))} rpm`;
    case "s":
      return value < 90 ? `${digits(value)} s` : `${digits(value / 60)} min`;
    case "min":
      return `${digits(value)} min`;
    case "share":
      return `${digits(value * 100)} %`;
    case "name":
      return String(value);
    case "":
      return digits(value);
  }
}

const BYTE_UNITS = ["B", "KB", "MB", "GB", "TB", "PB"];

/** 1 KB is 1000 B, as in profiles. */
export function bytesText(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (Math.abs(value) >= 999.5 && unit < BYTE_UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${digits(value)} ${BYTE_UNITS[unit] ?? ""}`;
}

/** Three significant digits; whole numbers from a thousand on, grouped. */
export function digits(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  if (size !== 0 && size < 0.001) return value.toExponential(1);
  return String(Number(value.toPrecision(3)));
}

/** Short, for a header: 812, 12.3 k, 1.20 M. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (value < 10_000) return Math.round(value).toLocaleString("en-US");
  return value < 1e6 ? `${(value / 1e3).toFixed(1)} k` : `${(value / 1e6).toFixed(2)} M`;
}
