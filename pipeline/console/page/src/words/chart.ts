/** A signal as a drawing: what was measured, over the bands it should lie in and the lines it must not cross. */

import type { Signal, Unit } from "../wire";
import { bytesText, digits } from "./facts";
import { millis, spanText } from "./time";

/** A height above the axis with what stands beside it. */
export interface Mark {
  text: string;
  y: number;
  /** Where the text stands, so that no two cover each other. */
  textY: number;
  kind: "band" | "line" | "value";
}

export interface ChartDrawing {
  bands: { y: number; height: number }[];
  lines: number[];
  path: string;
  dots: { x: number; y: number; text: string }[];
  marks: Mark[];
  from: string;
  until: string;
}

/** Texts stand this far apart. */
const APART = 13;

export function measureText(value: number, unit: Unit): string {
  switch (unit) {
    case "bytes":
      return bytesText(value);
    case "amperes":
      return `${digits(value)} A`;
    case "rpm":
      return `${digits(Math.round(value))} rpm`;
    case "seconds":
      return value < 60 ? `${digits(value)} s` : spanText(value * 1000);
    case "share":
      return `${digits(value * 100)} %`;
    case "count":
      return digits(value);
  }
}

/** From zero, so that ten times as much is ten times as high. Null if nothing was measured. */
export function chart(signal: Signal, width: number, height: number): ChartDrawing | null {
  const points = signal.points
    .map(({ at, value }) => ({ at, value, ms: millis(at) }))
    .filter((point): point is typeof point & { ms: number } => point.ms !== null && Number.isFinite(point.value));
  const [first, last] = [points[0], points.at(-1)];
  if (first === undefined || last === undefined) return null;
  const all = [
    ...points.map(({ value }) => value),
    ...signal.bands.map(({ high }) => high),
    ...signal.lines.map(({ at }) => at),
  ];
  const top = Math.max(...all) || 1;
  const y = (value: number) => height - (Math.max(0, value) / top) * height;
  const span = last.ms - first.ms;
  const x = (ms: number) => (span === 0 ? width : ((ms - first.ms) / span) * width);
  const dots = points.map(({ at, value, ms }) => ({
    x: x(ms),
    y: y(value),
    text: `${measureText(value, signal.unit)} at ${at}`,
  }));
  const marks: Mark[] = [
    mark("value", measureText(last.value, signal.unit), y(last.value)),
    ...signal.bands.map(({ name, low, high }) => mark("band", `${name} ${bandText(low, high, signal.unit)}`, y(high))),
    ...signal.lines.map(({ name, at }) => mark("line", `${name} ${measureText(at, signal.unit)}`, y(at))),
  ];
  return {
    // A band that is a single value is still to be seen.
    bands: signal.bands.map(({ low, high }) => ({ y: y(high) - 1, height: Math.max(3, y(low) - y(high) + 2) })),
    lines: signal.lines.map(({ at }) => y(at)),
    path: dots.map((dot, index) => `${index === 0 ? "M" : "L"}${dot.x.toFixed(1)} ${dot.y.toFixed(1)}`).join(""),
    dots,
    marks: spread(marks, height),
    from: first.at,
    until: last.at,
  };
}

function mark(kind: Mark["kind"], text: string, y: number): Mark {
  return { kind, text, y, textY: y };
}

function bandText(low: number, high: number, unit: Unit): string {
  if (low === high) return measureText(high, unit);
  return low === 0 ? `up to ${measureText(high, unit)}` : `${measureText(low, unit)} – ${measureText(high, unit)}`;
}

/** Pushes texts apart, from the bottom up, and back down if they would leave the drawing. */
function spread(marks: Mark[], height: number): Mark[] {
  const sorted = [...marks].sort((a, b) => b.y - a.y);
  let below = height + APART;
  for (const one of sorted) {
    one.textY = Math.min(one.y, below - APART);
    below = one.textY;
  }
  let above = -APART;
  for (const one of sorted.reverse()) {
    one.textY = Math.max(one.textY, above + APART);
    above = one.textY;
  }
  return sorted;
}
