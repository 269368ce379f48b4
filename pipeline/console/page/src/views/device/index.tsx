import { useRef } from "preact/hooks";
import { get, sentence } from "../../net/client";
import { clock, news, now } from "../../state/session";
import { useReading } from "../../state/reading";
import { to } from "../../state/route";
import type { Device, OrderHistory, Verdict, VerdictDetail, VerdictRow } from "../../wire";
import { isKeptElsewhere, unseenText } from "../../words/elsewhere";
import { isOver, lampName, lampOf, spoken } from "../../words/names";
import { ageText } from "../../words/time";
import { Graded, Sign } from "../../ui/lamp";
import { Acts } from "./acts";
import { Findings } from "./findings";
import { Known } from "./known";
import { Orders } from "./orders";
import { RiskLine } from "./risk";

interface Loaded {
  device: Device | null;
  detail: VerdictDetail | null;
}

/** A device with the verdict that is open for it, or with the one that the address names. */
export function DeviceView({ id, verdictId }: { id?: string; verdictId?: string }) {
  const key = verdictId === undefined ? `device ${id}` : `verdict ${verdictId}`;
  const of = useRef(id);
  const isNews = of.current !== undefined && news.value.has(of.current);
  // What was said last of the device; of others nothing is read.
  const said = useRef(news.value);
  if (isNews) said.current = news.value;
  const { value, problem: failure } = useReading(key, said.current, (signal) => read(signal, id, verdictId));
  const [device, detail] = [value?.device ?? null, value?.detail ?? null];
  of.current = device?.device_id ?? detail?.verdict.device_id ?? id;
  const problem = failure === null ? "" : sentence(failure);

  if (device === null && detail === null) {
    return (
      <div class="page" aria-busy={problem === ""}>
        <h1>{id ?? "Verdict"}</h1>
        {problem === "" ? <div class="skeleton" aria-label="Reading" /> : <p role="alert">{problem}</p>}
      </div>
    );
  }
  const verdict = detail?.verdict ?? device?.open ?? null;
  const orders = ordersOf(device, verdictId === undefined ? null : detail);
  return (
    <article class="page device">
      {problem !== "" && <p role="alert">{problem} What is shown is older.</p>}
      <Title device={device} verdict={verdict} />
      <p class="headline">
        {verdict?.sentence ?? headlineOf(device)}
      </p>
      <div class="columns">
        <div class="aside">
          <Orders
            orders={orders}
            response={verdict?.response ?? null}
            heldUntil={device?.suppressed_until ?? null}
          />
          {device !== null && <Acts device={device.device_id} orders={device.commands} />}
          <section>
            <h2>Risk over time</h2>
            <RiskLine history={device?.risk_history ?? []} />
          </section>
        </div>
        <div>
          {verdict !== null && <Findings verdict={verdict} signals={detail?.signals ?? []} />}
          {detail !== null && detail.revisions.length > 1 && <Revisions detail={detail} />}
          <Earlier rows={device?.verdicts ?? []} shown={verdict?.verdict_id ?? ""} />
          {device !== null && <Known device={device} />}
        </div>
      </div>
    </article>
  );
}

/** All of a device; of one verdict what it brought about, and what else is in force or waits. */
function ordersOf(device: Device | null, detail: VerdictDetail | null): OrderHistory[] {
  const all = device?.commands ?? [];
  if (detail === null) return all;
  const own = new Set(detail.commands.map(({ command }) => command.command_id));
  return [...all.filter(({ command, state }) => !own.has(command.command_id) && !isOver(state)), ...detail.commands];
}

async function read(signal: AbortSignal, id?: string, verdictId?: string): Promise<Loaded> {
  if (verdictId === undefined) {
    const device = await get<Device>(`v1/devices/${encodeURIComponent(id ?? "")}`, signal);
    const open = device.open?.verdict_id;
    const detail = open === undefined ? null : await verdictOf(open, signal);
    return { device, detail };
  }
  const detail = await verdictOf(verdictId, signal);
  // What is not in the inventory has verdicts, and no page of its own.
  const path = `v1/devices/${encodeURIComponent(detail.verdict.device_id)}`;
  const device = await get<Device>(path, signal).catch(() => null);
  return { device, detail };
}

function verdictOf(id: string, signal: AbortSignal): Promise<VerdictDetail> {
  return get<VerdictDetail>(`v1/verdicts/${encodeURIComponent(id)}`, signal);
}

function headlineOf(device: Device | null): string {
  if (isKeptElsewhere(device)) {
    return "A verdict is open for this device. It was raised by another process of the group, or before this one began.";
  }
  return `Nothing is open for this device.${lastOf(device?.verdicts ?? [])}`;
}

function lastOf(rows: readonly VerdictRow[]): string {
  const last = rows[0];
  return last === undefined ? "" : ` The last verdict was ${ageText(last.updated, now.value)}.`;
}

function Title({ device, verdict }: { device: Device | null; verdict: Verdict | null }) {
  const isOpen = verdict !== null && verdict.state !== "cleared";
  const lamp = isOpen ? lampOf(verdict.grade) : (device?.lamp ?? "unknown");
  const risk = device?.risk ?? verdict?.risk;
  const type = device?.device_type ?? verdict?.device_type ?? "";
  const since = verdict === null ? null : verdict.event_time;
  const facts: [string, string, string?][] = [
    type === "" ? ["Type", "not in the inventory"] : ["Type", spoken(type), to.profile(type)],
    ["Segment", device?.segment ?? verdict?.segment ?? "–"],
    ["Risk class", device?.risk_class ?? verdict?.risk_class ?? "–"],
    ["Safety-critical", device === null ? "–" : device.safety_critical ? "yes" : "no"],
    ["Last seen", seenText(device)],
  ];
  if (device?.owner != null) facts.push(["Speaks through", device.owner]);
  return (
    <header class="title">
      <p class={`state ${lamp}`}>
        <Sign lamp={lamp} size="large" />
        <b>{lampName(lamp)}</b>
        {since !== null && (
          <span>
            {isOpen ? "since" : "was open from"} {clock.value.day(since)} ({clock.value.zone}),{" "}
            {ageText(since, now.value)}
          </span>
        )}
      </p>
      <h1>{device?.device_id ?? verdict?.device_id}</h1>
      <dl class="facts">
        {facts.map(([name, text, href]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              {href === undefined ? (
                text
              ) : (
                <a href={href} title="What it is measured against">
                  {text}
                </a>
              )}
            </dd>
          </div>
        ))}
        <div>
          <dt>Risk, trust</dt>
          <dd>
            {risk == null || risk.score === null ? "unknown" : `${risk.score}, ${risk.trust ?? "–"} of 100 (${risk.band})`}
          </dd>
        </div>
      </dl>
    </header>
  );
}

function seenText(device: Device | null): string {
  if (device === null || device.last_seen === null) return unseenText(device);
  return `${clock.value.day(device.last_seen)}, ${ageText(device.last_seen, now.value)}`;
}

function Revisions({ detail }: { detail: VerdictDetail }) {
  return (
    <section>
      <h2>How it went on</h2>
      <ol class="revisions">
        {detail.revisions.map((revision, index, all) => (
          <li key={revision.revision}>
            <time dateTime={revision.at}>{clock.value.day(revision.at)}</time>
            <Graded lamp={lampOf(revision.grade)} />
            <span class="quiet">{revision.state}</span>
            <span>{revision.sentence === all[index - 1]?.sentence ? "" : revision.sentence}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Earlier({ rows, shown }: { rows: readonly VerdictRow[]; shown: string }) {
  const others = rows.filter((row) => row.verdict_id !== shown);
  if (others.length === 0) return null;
  return (
    <section>
      <h2>Other verdicts of this device</h2>
      <ol class="revisions">
        {others.map((row) => (
          <li key={row.verdict_id}>
            <time dateTime={row.event_time}>{clock.value.day(row.event_time)}</time>
            <Graded lamp={lampOf(row.grade)} />
            <span class="quiet">{row.state}</span>
            <a href={to.verdict(row.verdict_id)} data-item>
              {row.sentence}
            </a>
          </li>
        ))}
      </ol>
    </section>
  );
}
