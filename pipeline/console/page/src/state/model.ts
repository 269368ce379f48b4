/** The plant as it is known here: a snapshot, and the changes since. Pure; no signals, no network. */

import { lampOf, rank } from "../words/names";
import type {
  Board,
  BoardSegment,
  Counts,
  Lamp,
  LampRow,
  RiskEvent,
  VerdictRow,
} from "../wire";

export interface Light {
  readonly id: string;
  readonly type: string;
  lamp: Lamp;
  score: number | null;
  since: string | null;
  /** Counts the changes, so that each can be shown once. */
  changes: number;
}

export interface Group {
  type: string;
  lights: Light[];
}

export interface SegmentModel {
  readonly id: string;
  counts: Counts;
  /** In the order the server gives, for ever; null while they are not asked for. */
  groups: Group[] | null;
}

export function noCounts(): Counts {
  return { critical: 0, high: 0, medium: 0, low: 0, normal: 0, unknown: 0 };
}

export function total(counts: Counts): number {
  return Object.values(counts).reduce((sum, count) => sum + count, 0);
}

export class PlantModel {
  counts: Counts = noCounts();
  readonly segments = new Map<string, SegmentModel>();
  /** Whether some count may be wrong, as lamps changed that are not loaded. */
  isRough = false;
  readonly #where = new Map<string, { light: Light; segment: SegmentModel }>();

  constructor(board: Board) {
    this.recount(board);
  }

  /** Takes counts and whatever lamps a newer snapshot has. */
  recount(board: Board): void {
    this.counts = { ...board.counts };
    this.isRough = false;
    for (const segment of board.segments) {
      const known = this.segments.get(segment.id);
      if (known === undefined) {
        this.segments.set(segment.id, { id: segment.id, counts: segment.counts, groups: null });
      } else {
        known.counts = segment.counts;
      }
      if (segment.lamps !== null) this.load(segment);
    }
  }

  /** Lamps of one segment. */
  load(given: BoardSegment): void {
    const segment = this.segments.get(given.id);
    if (segment === undefined || given.lamps === null) return;
    segment.groups = group(given.lamps);
    for (const { lights } of segment.groups) {
      for (const light of lights) this.#where.set(light.id, { light, segment });
    }
  }

  light(device: string): Light | undefined {
    return this.#where.get(device)?.light;
  }

  /** The segment that changed, if its lamps are loaded. */
  risk(event: RiskEvent): string | null {
    const known = this.#where.get(event.device_id);
    if (known === undefined) {
      this.isRough = true;
      return null;
    }
    known.light.score = event.score;
    return this.#turn(known.light, known.segment, event.lamp, event.event_time);
  }

  /** A verdict turns its lamp at once; a risk event need not follow. */
  verdict(row: VerdictRow): string | null {
    const known = this.#where.get(row.device_id);
    if (known === undefined) {
      this.isRough = true;
      return null;
    }
    const { light, segment } = known;
    if (row.state === "cleared") {
      const isDark = light.lamp === "unknown";
      return this.#turn(light, segment, isDark ? "unknown" : "normal", row.updated);
    }
    return this.#turn(light, segment, lampOf(row.grade), row.event_time);
  }

  #turn(light: Light, segment: SegmentModel, lamp: Lamp, at: string): string {
    if (light.lamp !== lamp) {
      for (const counts of [segment.counts, this.counts]) {
        counts[light.lamp] -= 1;
        counts[lamp] += 1;
      }
      light.lamp = lamp;
      light.since = lamp === "normal" || lamp === "unknown" ? null : at;
      light.changes += 1;
    }
    return segment.id;
  }
}

/** Lamps by type; types and lamps keep the order they come in. */
export function group(rows: readonly LampRow[]): Group[] {
  const groups = new Map<string, Group>();
  for (const [id, type, lamp, score, since] of rows) {
    let of = groups.get(type);
    if (of === undefined) {
      of = { type, lights: [] };
      groups.set(type, of);
    }
    of.lights.push({ id, type, lamp, score, since, changes: 0 });
  }
  return [...groups.values()];
}

/** Open verdicts, worst first, of one grade the newest first. */
export class OpenVerdicts {
  readonly #rows = new Map<string, VerdictRow>();
  #sorted: VerdictRow[] | null = null;

  replace(rows: readonly VerdictRow[]): void {
    this.#rows.clear();
    for (const row of rows) this.apply(row);
    this.#sorted = null;
  }

  /** Whether the row said anything new: the same revision may come twice. */
  apply(row: VerdictRow): boolean {
    const known = this.#rows.get(row.verdict_id);
    if (known !== undefined && known.revision >= row.revision) return false;
    if (row.state === "cleared") this.#rows.delete(row.verdict_id);
    else this.#rows.set(row.verdict_id, row);
    this.#sorted = null;
    return true;
  }

  has(verdict: string): boolean {
    return this.#rows.has(verdict);
  }

  sorted(): readonly VerdictRow[] {
    this.#sorted ??= [...this.#rows.values()].sort(worseFirst);
    return this.#sorted;
  }
}

export function worseFirst(a: VerdictRow, b: VerdictRow): number {
  return (
    rank(b.grade) - rank(a.grade) ||
    Date.parse(b.event_time) - Date.parse(a.event_time) ||
    a.device_id.localeCompare(b.device_id)
  );
}
