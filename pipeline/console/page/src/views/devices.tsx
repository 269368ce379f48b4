import { useEffect, useState } from "preact/hooks";
import { get, sentence } from "../net/client";
import { clock, countsVersion, model, now } from "../state/session";
import { go, to } from "../state/route";
import type { DeviceRow } from "../wire";
import { lampName, LAMPS, spoken } from "../words/names";
import { ageText } from "../words/time";
import { Graded } from "../ui/lamp";

const PAGE = 100;

/** Every device, page by page; searched and filtered by the server. */
export function DevicesView({ query }: { query: URLSearchParams }) {
  const [lamp, text] = [query.get("lamp") ?? "", query.get("q") ?? ""];
  const key = `${lamp}/${text}`;
  const [found, setFound] = useState<{ key: string; rows: DeviceRow[]; next: string | null }>();
  const [after, setAfter] = useState({ key, id: "" });
  const [problem, setProblem] = useState("");
  const from = after.key === key ? after.id : "";

  useEffect(() => {
    const abort = new AbortController();
    const asked = new URLSearchParams({ limit: String(PAGE) });
    if (lamp !== "") asked.set("lamp", lamp);
    if (text !== "") asked.set("q", text);
    if (from !== "") asked.set("after", from);
    get<{ devices: DeviceRow[]; next: string | null }>(`v1/devices?${asked}`, abort.signal)
      .then(({ devices, next }) => {
        setProblem("");
        setFound((old) => ({
          key,
          rows: from !== "" && old?.key === key ? [...old.rows, ...devices] : devices,
          next,
        }));
      })
      .catch((error: unknown) => {
        if (!abort.signal.aborted) setProblem(sentence(error));
      });
    return () => abort.abort();
  }, [key, from]);

  const rows = found?.key === key ? found.rows : null;
  return (
    <div class="page">
      <h1>Devices</h1>
      <Filters lamp={lamp} text={text} />
      {problem !== "" && <p role="alert">{problem}</p>}
      {rows === null && problem === "" && <div class="skeleton" aria-label="Reading" />}
      {rows?.length === 0 && <p class="quiet">No device fits.</p>}
      {rows !== null && rows.length > 0 && <Table rows={rows} />}
      {rows !== null && found?.next != null && (
        <button type="button" onClick={() => setAfter({ key, id: found.next ?? "" })}>
          Show {PAGE} more
        </button>
      )}
    </div>
  );
}

function Filters({ lamp, text }: { lamp: string; text: string }) {
  void countsVersion.value;
  const counts = model.value?.counts;
  const link = (value: string) =>
    to.devices({ ...(value === "" ? {} : { lamp: value }), ...(text === "" ? {} : { q: text }) });
  return (
    <form
      class="filters no-print"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        const given = new FormData(event.currentTarget).get("q");
        const q = typeof given === "string" ? given.trim() : "";
        go(to.devices({ ...(lamp === "" ? {} : { lamp }), ...(q === "" ? {} : { q }) }));
      }}
    >
      <label>
        <span class="hidden">Search by id, type or segment</span>
        <input key={text} name="q" type="search" defaultValue={text} placeholder="Search by id" data-search />
      </label>
      <nav aria-label="By state">
        {["", ...LAMPS].map((value) => (
          <a key={value} href={link(value)} aria-current={value === lamp ? "true" : undefined}>
            {value === "" ? "all" : lampName(value as (typeof LAMPS)[number])}
            {value !== "" && counts !== undefined && (
              <small> {counts[value as (typeof LAMPS)[number]].toLocaleString("en-US")}</small>
            )}
          </a>
        ))}
      </nav>
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
            </td>
            <td>{spoken(row.device_type)}</td>
            <td>{row.segment}</td>
            <td class="number">{row.risk.score ?? "–"}</td>
            <td title={clock.value.full(row.last_seen)}>
              {row.last_seen === null ? "never" : ageText(row.last_seen, now.value)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
