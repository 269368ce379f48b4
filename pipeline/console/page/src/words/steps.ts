/** A risk history as a line of steps, in the units of a drawing. */

import type { Band } from "../wire";
import { millis } from "./time";

export interface Point {
  at: string;
  score: number | null;
  band: Band;
}

export interface Drawing {
  /** SVG path data of each stretch in which the score was known. */
  paths: string[];
  /** Where it stands now; null if that is not known. */
  end: { x: number; y: number } | null;
  from: string;
  until: string;
}

/** Steps from the first point to `until`; a score that is not known leaves a gap. */
export function steps(history: readonly Point[], until: string | null, width: number, height: number): Drawing | null {
  const known = history
    .map((point) => ({ ...point, ms: millis(point.at) }))
    .filter((point): point is Point & { ms: number } => point.ms !== null)
    .sort((a, b) => a.ms - b.ms);
  const first = known[0];
  const last = known.at(-1);
  if (first === undefined || last === undefined) return null;
  const end = Math.max(millis(until) ?? last.ms, last.ms);
  const scale = end === first.ms ? 0 : width / (end - first.ms);
  const x = (ms: number) => ((ms - first.ms) * scale).toFixed(1);
  const above = (score: number) => height - (Math.min(100, Math.max(0, score)) / 100) * height;
  const y = (score: number) => above(score).toFixed(1);
  const paths: string[] = [];
  let path = "";
  known.forEach((point, index) => {
    const next = known[index + 1]?.ms ?? end;
    if (point.score === null) {
      if (path !== "") paths.push(path);
      path = "";
      return;
    }
    path += path === "" ? `M${x(point.ms)} ${y(point.score)}` : `V${y(point.score)}`;
    path += `H${x(next)}`;
  });
  if (path !== "") paths.push(path);
  const now = last.score === null ? null : { x: (end - first.ms) * scale, y: above(last.score) };
  return { paths, end: now, from: first.at, until: new Date(end).toISOString() };
}
