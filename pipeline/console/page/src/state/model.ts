/** The plant as it is known here: a snapshot, and the changes since. Pure; no signals, no network. */

import { lampOf, rank } from "../words/names";
import type {
  Board,
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
  /** Draws it where it is shown; null where it is not. */
  draw: (() => void) | null;
  /** The number of the event that it is as of. */
  seq: number;
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

/** The process that numbers events, and the number: `0f3a-17` is the 17th event of `0f3a`. */
export function place(id: string): { boot: string; number: number } {
  const at = id.lastIndexOf("-");
  const number = Number(id.slice(at + 1));
  return { boot: id.slice(0, Math.max(at, 0)), number: Number.isSafeInteger(number) ? number : 0 };
}

/**
 * Answers and events overtake each other, so each says where in the order of events it stands: an
 * answer holds every event up to its `seq`, and perhaps some that are still on their way here. What
 * is older than what is shown changes nothing.
 */
export class PlantModel {
  counts: Counts = noCounts();
  readonly segments = new Map<string, SegmentModel>();
  readonly #boot: string;
  readonly #touched = new Set<Light>();
  readonly #where = new Map<string, { light: Light; segment: SegmentModel }>();
  /** Whether the lamps of every segment are loaded. */
  #isWhole = false;
  /** The newest event about a lamp that is not loaded; its counts may be wrong up to there. */
  #roughAt = -1;
  /** The event that counts of what is not loaded are as of. */
  #countedAt = -1;

  constructor(board: Board) {
    this.#boot = place(board.seq).boot;
    this.recount(board);
  }

  /** Whether some count may be wrong, as lamps changed that are not loaded. */
  get isRough(): boolean {
    return this.#roughAt > this.#countedAt;
  }

  /** Takes what an answer knows better: counts of segments that are not loaded, and lamps. */
  recount(board: Board): void {
    const { boot, number } = place(board.seq);
    if (boot !== this.#boot) return;
    const isNewer = number >= this.#countedAt;
    // An answer about one segment counts no others.
    const isWhole = board.segments.length >= this.segments.size;
    for (const given of board.segments) {
      let segment = this.segments.get(given.id);
      if (segment === undefined) {
        segment = { id: given.id, counts: given.counts, groups: null };
        this.segments.set(given.id, segment);
      } else if (segment.groups === null && isNewer) {
        segment.counts = given.counts;
      }
      if (given.lamps !== null) this.#load(segment, given.lamps, number);
    }
    if (isWhole && isNewer) this.#countedAt = number;
    this.#isWhole = [...this.segments.values()].every(({ groups }) => groups !== null);
    this.#sum();
  }

  #load(segment: SegmentModel, rows: readonly LampRow[], number: number): void {
    segment.groups = group(rows, (row) => this.#light(segment, row, number));
    segment.counts = noCounts();
    for (const { lights } of segment.groups) {
      for (const light of lights) segment.counts[light.lamp] += 1;
    }
  }

  /** The light of a row: the one that is known, unless there is none. */
  #light(segment: SegmentModel, [id, type, lamp, score, since]: LampRow, number: number): Light {
    const known = this.#where.get(id)?.light;
    if (known === undefined) {
      const light = { id, type, lamp, score, since, changes: 0, draw: null, seq: number };
      this.#where.set(id, { light, segment });
      return light;
    }
    if (number > known.seq) {
      known.changes += known.lamp === lamp ? 0 : 1;
      Object.assign(known, { lamp, score, since, seq: number });
      this.#touched.add(known);
    }
    return known;
  }

  #sum(): void {
    this.counts = noCounts();
    for (const { counts } of this.segments.values()) {
      for (const lamp of Object.keys(counts) as Lamp[]) this.counts[lamp] += counts[lamp];
    }
  }

  light(device: string): Light | undefined {
    return this.#where.get(device)?.light;
  }

  /** The segment that changed, if its lamps are loaded. `seq` is the number of the event. */
  risk(event: RiskEvent, seq: number): string | null {
    const known = this.#newer(event.device_id, seq);
    if (known === null) return null;
    const { light, segment } = known;
    light.score = event.score;
    const isCalm = event.lamp === "normal" || event.lamp === "unknown";
    return this.#turn(light, segment, event.lamp, isCalm ? null : (light.since ?? event.event_time));
  }

  /** A verdict turns its lamp at once; when it is over, the risk that comes with it says to what. */
  verdict(row: VerdictRow, seq: number): string | null {
    const known = this.#newer(row.device_id, seq);
    if (known === null) return null;
    const { light, segment } = known;
    this.#touched.add(light);
    return row.state === "cleared"
      ? segment.id
      : this.#turn(light, segment, lampOf(row.grade), row.event_time);
  }

  /** Something else is said of a device now; its segment, if its lamps are loaded. */
  reword(device: string): string | null {
    const known = this.#where.get(device);
    if (known === undefined) return null;
    this.#touched.add(known.light);
    return known.segment.id;
  }

  /** Lamps that are another or are named differently since the last time this was asked. */
  takeTouched(): Light[] {
    const touched = [...this.#touched];
    this.#touched.clear();
    return touched;
  }

  #newer(device: string, seq: number): { light: Light; segment: SegmentModel } | null {
    const known = this.#where.get(device);
    if (known === undefined) {
      // It is not in the inventory, if all that is there is known.
      if (!this.#isWhole) this.#roughAt = seq;
      return null;
    }
    // A batch of answers and events may hold what the answer has already.
    if (seq <= known.light.seq) return null;
    known.light.seq = seq;
    return known;
  }

  #turn(light: Light, segment: SegmentModel, lamp: Lamp, since: string | null): string {
    light.since = since;
    this.#touched.add(light);
    if (light.lamp !== lamp) {
      for (const counts of [segment.counts, this.counts]) {
        counts[light.lamp] -= 1;
        counts[lamp] += 1;
      }
      light.lamp = lamp;
      light.changes += 1;
    }
    return segment.id;
  }
}

/** Lamps by type; types and lamps keep the order they come in. */
function group(rows: readonly LampRow[], light: (row: LampRow) => Light): Group[] {
  const groups = new Map<string, Group>();
  for (const row of rows) {
    const type = row[1];
    let of = groups.get(type);
    if (of === undefined) {
      of = { type, lights: [] };
      groups.set(type, of);
    }
    of.lights.push(light(row));
  }
  return [...groups.values()];
}

/** An open verdict, with its time as a number. */
interface OpenRow {
  row: VerdictRow;
  at: number;
}

/** Open verdicts, worst first, of one grade the newest first. Kept in order: there may be very many. */
export class OpenVerdicts {
  readonly #rows = new Map<string, OpenRow>();
  /** A device has one open episode at most. */
  readonly #ofDevice = new Map<string, VerdictRow>();
  #sorted: OpenRow[] = [];

  replace(rows: readonly VerdictRow[]): void {
    this.#rows.clear();
    this.#ofDevice.clear();
    this.#sorted = [];
    for (const row of rows) this.apply(row);
  }

  /** Whether the row said anything new: the same revision may come twice. */
  apply(row: VerdictRow): boolean {
    const { verdict_id: id, device_id: device } = row;
    const known = this.#rows.get(id);
    if (known !== undefined) {
      if (known.row.revision >= row.revision) return false;
      this.#sorted.splice(this.#place(known), 1);
    }
    if (row.state !== "cleared") {
      const open = { row, at: Date.parse(row.event_time) };
      this.#rows.set(id, open);
      this.#ofDevice.set(device, row);
      this.#sorted.splice(this.#place(open), 0, open);
    } else {
      this.#rows.delete(id);
      if (this.#ofDevice.get(device)?.verdict_id === id) this.#ofDevice.delete(device);
    }
    return true;
  }

  /** Drops what is listed of a device if a risk of later names another verdict, or none; whether it did. */
  drop({ device_id: device, verdict_id: open, event_time: at }: RiskEvent): boolean {
    const row = this.#ofDevice.get(device);
    if (row === undefined || row.verdict_id === open || Date.parse(at) < Date.parse(row.updated)) return false;
    const known = this.#rows.get(row.verdict_id);
    if (known !== undefined) this.#sorted.splice(this.#place(known), 1);
    this.#rows.delete(row.verdict_id);
    this.#ofDevice.delete(device);
    return true;
  }

  of(device: string): VerdictRow | undefined {
    return this.#ofDevice.get(device);
  }

  has(verdict: string): boolean {
    return this.#rows.has(verdict);
  }

  sorted(): VerdictRow[] {
    return this.#sorted.map(({ row }) => row);
  }

  /** Where it stands, or would. */
  #place(open: OpenRow): number {
    let [low, high] = [0, this.#sorted.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#sorted[middle];
      if (other !== undefined && inOrder(other, open) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function inOrder(a: OpenRow, b: OpenRow): number {
  return (
    rank(b.row.grade) - rank(a.row.grade) ||
    b.at - a.at ||
    textOrder(a.row.device_id, b.row.device_id) ||
    textOrder(a.row.verdict_id, b.row.verdict_id)
  );
}

/** No two ids are equal in it, whatever language the reader speaks. */
function textOrder(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

export function worseFirst(a: VerdictRow, b: VerdictRow): number {
  return inOrder({ row: a, at: Date.parse(a.event_time) }, { row: b, at: Date.parse(b.event_time) });
}
