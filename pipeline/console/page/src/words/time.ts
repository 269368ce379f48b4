/** Moments and spans as people say them, by the plant's clock. */

/** Milliseconds since 1970, or null for what is no time. */
export function millis(at: string | null | undefined): number | null {
  if (at == null) return null;
  const parsed = Date.parse(at);
  return Number.isNaN(parsed) ? null : parsed;
}

/** "3 min", "2 h 5 min", "4 days": two units at most, never a false precision. */
export function spanText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return minutes % 60 === 0 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  const days = Math.floor(hours / 24);
  return days === 1 ? "1 day" : `${days} days`;
}

/** How long before `now` something was; "just now" for what is not yet half a minute old. */
export function ageText(at: string | null, now: string | null): string {
  const [then, clock] = [millis(at), millis(now)];
  if (then === null || clock === null) return "";
  const age = clock - then;
  if (age < -60_000) return `in ${spanText(-age)}`;
  return age < 30_000 ? "just now" : `${spanText(age)} ago`;
}

/** Whether that moment has not come yet; one that is not told has. */
export function isAhead(at: string | null, now: string | null): boolean {
  const [then, clock] = [millis(at), millis(now)];
  return then !== null && (clock === null || then > clock);
}

/** Writes moments in one time zone; an unknown one falls back to UTC and says so. */
export class PlantClock {
  readonly zone: string;
  readonly #short: Intl.DateTimeFormat;
  readonly #day: Intl.DateTimeFormat;
  readonly #full: Intl.DateTimeFormat;

  constructor(zone: string) {
    this.zone = isZone(zone) ? zone : "UTC";
    const time = { hour: "2-digit", minute: "2-digit", hourCycle: "h23" } as const;
    const base = { timeZone: this.zone } as const;
    this.#short = new Intl.DateTimeFormat("en-GB", { ...base, ...time });
    this.#day = new Intl.DateTimeFormat("en-GB", { ...base, ...time, weekday: "short" });
    this.#full = new Intl.DateTimeFormat("en-GB", {
      ...base,
      ...time,
      weekday: "short",
      year: "numeric",
      month: "short",
      day: "2-digit",
      second: "2-digit",
    });
  }

  /** "02:31" */
  short(at: string | null): string {
    return format(this.#short, at);
  }

  /** "Sun 02:31" */
  day(at: string | null): string {
    return format(this.#day, at).replace(",", "");
  }

  /** "Sun, 14 Dec 2025, 02:31:07" */
  full(at: string | null): string {
    return format(this.#full, at);
  }
}

function format(form: Intl.DateTimeFormat, at: string | null): string {
  const ms = millis(at);
  return ms === null ? "–" : form.format(ms);
}

function isZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone: zone });
    return zone !== "";
  } catch {
    return false;
  }
}
