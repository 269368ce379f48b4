import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { get, sentence } from "../net/client";
import { clock, countsVersion, model, news, now } from "../state/session";
import { useReading } from "../state/reading";
import { go, to } from "../state/route";
import type { DeviceRow } from "../wire";
import { unseenText } from "../words/elsewhere";
import { lampName, LAMPS, spoken } from "../words/names";
import { ageText, isAhead } from "../words/time";
import { Graded } from "../ui/lamp";

const PAGE = 100;
/** Most that the server gives at a time. */
const AT_ONCE = 500;
/** What is listed is read again at most this often while devices of it change. */
const FOLLOW_MS = 1_000;
/** And this often at least: no event tells when a device was last heard of. */
const REFRESH_MS = 5_000;

interface Found {
  rows: DeviceRow[];
  next: string | null;
}

/** What is looked for; empty for all. */
type Search = Record<"lamp" | "type" | "q", string>;

/** What of it says something. */
function said(search: Search): Record<string, string> {
  return Object.fromEntries(Object.entries(search).filter(([, value]) => value !== ""));
}

/** Every device, page by page; searched and filtered by the server. */
export function DevicesView({ query }: { query: URLSearchParams }) {
  const search: Search = { lamp: query.get("lamp") ?? "", type: query.get("type") ?? "", q: query.get("q") ?? "" };
  const key = new URLSearchParams(said(search)).toString();
  const [asked, setAsked] = useState({ key, count: PAGE });
  const count = asked.key === key ? asked.count : PAGE;
  const listed = useRef<ReadonlySet<string>>(new Set());
  const ticks = useFollowing(listed, search.lamp !== "");
  const { value: found, problem } = useReading(key, `${count}/${ticks}`, (signal) => read(search, count, signal));
  const rows = found?.rows ?? null;
  listed.current = useMemo(() => new Set(rows?.map((row) => row.device_id)), [rows]);

  return (
    <div class="page">
      <h1>Devices</h1>
      <Filters search={search} />
      {problem !== null && <p role="alert">{sentence(problem)}</p>}
      {rows === null && problem === null && <div class="skeleton" aria-label="Reading" />}
      {rows?.length === 0 && <p class="quiet">No device fits.</p>}
      {rows !== null && rows.length > 0 && <Table rows={rows} />}
      {rows !== null && found?.next != null && (
        <button type="button" onClick={() => setAsked({ key, count: count + PAGE })}>
          Show {PAGE} more
        </button>
      )}
    </div>
  );
}

/** So many rows, in as many pages as that takes. */
async function read(search: Search, count: number, signal: AbortSignal): Promise<Found> {
  const rows: DeviceRow[] = [];
  let next: string | null = null;
  do {
    const asked = new URLSearchParams({ ...said(search), limit: String(Math.min(AT_ONCE, count - rows.length)) });
    if (next !== null) asked.set("after", next);
    const page: { devices: DeviceRow[]; next: string | null } = await get(`v1/devices?${asked}`, signal);
    rows.push(...page.devices);
    next = page.next;
  } while (next !== null && rows.length < count);
  return { rows, next };
}

/** Grows when the list has to be read again: something was told of a device in it, or time went by. */
function useFollowing(listed: { current: ReadonlySet<string> }, isFiltered: boolean): number {
  const [ticks, setTicks] = useState(0);
  const isNews = useRef(false);
  const seen = useRef(news.value);
  if (seen.current !== news.value) {
    seen.current = news.value;
    // A device that is not listed may belong there now.
    isNews.current ||= isFiltered || [...seen.current].some((device) => listed.current.has(device));
  }
  useEffect(() => {
    let readAt = Date.now();
    const timer = setInterval(() => {
      if (document.hidden || (!isNews.current && Date.now() - readAt < REFRESH_MS)) return;
      isNews.current = false;
      readAt = Date.now();
      setTicks((count) => count + 1);
    }, FOLLOW_MS);
    return () => clearInterval(timer);
  }, []);
  return ticks;
}

function Filters({ search }: { search: Search }) {
  void countsVersion.value;
  const counts = model.value?.counts;
  const link = (changed: Partial<Search>) => to.devices(said({ ...search, ...changed }));
  return (
    <form
      class="filters no-print"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        const given = new FormData(event.currentTarget).get("q");
        const q = typeof given === "string" ? given.trim() : "";
        go(link({ q }));
      }}
    >
      <label>
        <span class="hidden">Search by id, type or segment</span>
        <input key={search.q} name="q" type="search" defaultValue={search.q} placeholder="Search by id" data-search />
      </label>
      <nav aria-label="By state">
        {["", ...LAMPS].map((value) => (
          <a key={value} href={link({ lamp: value })} aria-current={value === search.lamp ? "true" : undefined}>
            {value === "" ? "all" : lampName(value as (typeof LAMPS)[number])}
            {value !== "" && search.type === "" && counts !== undefined && (
              <small> {counts[value as (typeof LAMPS)[number]].toLocaleString("en-US")}</small>
            )}
          </a>
        ))}
      </nav>
      {search.type !== "" && (
        <p class="quiet">
          Only <a href={to.profile(search.type)}>{spoken(search.type)}</a>. <a href={link({ type: "" })}>All types</a>
        </p>
      )}
    </form>
  );
}

function Table({ rows }: { rows: readonly DeviceRow[] }) {
  return (
    <table class="devices">
      <thead>
        <tr>
          <th scope="col">State</th>
          <th scope="col">Device</th>
          <th scope="col">Type</th>
          <th scope="col">Segment</th>
          <th scope="col" class="number">
            Risk
          </th>
          <th scope="col">Last seen</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.device_id}>
            <td>
              <Graded lamp={row.lamp} />
            </td>
            <td>
              <a href={to.device(row.device_id)} data-item>
                {row.device_id}
              </a>
              {isAhead(row.suppressed_until, now.value) && (
                <small class="held">commands held back until {clock.value.day(row.suppressed_until)}</small>
              )}
            </td>
            <td>{spoken(row.device_type)}</td>
            <td>{row.segment}</td>
            <td class="number">{row.risk.score ?? "–"}</td>
            <td title={clock.value.full(row.last_seen)}>
              {row.last_seen === null ? unseenText(row) : ageText(row.last_seen, now.value)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
