import { clock, countsVersion, isLost, isStill, link, model, now, plant, status } from "../state/session";
import { route, to } from "../state/route";
import { short } from "../words/facts";
import { lampName, spoken } from "../words/names";
import { lagText } from "../views/health";
import { Sign } from "./lamp";

const BIG = ["critical", "high", "medium", "low", "unknown"] as const;

/** The five counts that are read from across the room, and how fresh all of it is. */
export function Header() {
  return (
    <header class="top-bar">
      <p class="brand">
        <a href={to.board}>
          <b>Andon</b> <span>{plant.value === null ? "" : spoken(plant.value.site)}</span>
        </a>
      </p>
      <Counts />
      <Freshness />
      <Nav />
    </header>
  );
}

function Counts() {
  void countsVersion.value;
  const counts = model.value?.counts;
  return (
    <ul class={isLost.value ? "counts stale" : "counts"} aria-label="Devices by state">
      {BIG.map((lamp) => (
        <li key={lamp} class={counts?.[lamp] === 0 ? "none" : ""}>
          <a href={to.devices({ lamp })} class={lamp}>
            <b>{counts === undefined ? "–" : counts[lamp].toLocaleString("en-US")}</b>{" "}
            <span>
              <Sign lamp={lamp} />
              {lampName(lamp)}
            </span>
          </a>
        </li>
      ))}
    </ul>
  );
}

function Freshness() {
  const told = status.value;
  const mode = told?.mode ?? plant.value?.mode;
  const at = now.value;
  return (
    <dl class="freshness">
      <div>
        <dt>Events/s</dt>
        <dd>{told === null || isLost.value ? "–" : short(told.events_per_second)}</dd>
      </div>
      <div>
        <dt>Lag</dt>
        <dd>{told === null || told.lag_ms === null || isLost.value ? "–" : lagText(told.lag_ms)}</dd>
      </div>
      <div>
        <dt>Mode</dt>
        <dd>{mode ?? "–"}</dd>
      </div>
      <div class={isLost.value || isStill.value ? "clock old" : "clock"}>
        <dt>{isLost.value || isStill.value ? "No data since" : "Newest data"}</dt>
        <dd>
          <time dateTime={at ?? undefined} title={`${clock.value.full(at)} (${clock.value.zone})`}>
            {clock.value.day(at)}
          </time>
        </dd>
      </div>
    </dl>
  );
}

function Nav() {
  const waiting = status.value?.waiting_approvals ?? 0;
  const views = [
    { href: to.board, name: "Board", is: ["board", "segment"] },
    { href: to.devices(), name: "Devices", is: ["devices", "device", "verdict"] },
    { href: to.incidents, name: "Incidents", is: ["incidents", "incident"] },
    { href: to.approvals, name: "Approvals", is: ["approvals"], count: waiting },
    { href: to.profiles, name: "Profiles", is: ["profiles", "profile"] },
    { href: to.health, name: "Health", is: ["health"], sign: told() },
  ];
  return (
    <nav class="views no-print" aria-label="Views">
      {views.map(({ href, name, is, count, sign }) => (
        <a key={name} href={href} aria-current={is.includes(route.value.view) ? "page" : undefined}>
          {name}
          {count !== undefined && count > 0 && <b class="badge">{count}</b>}
          {sign !== undefined && sign !== "" && <b class="badge">{sign}</b>}
        </a>
      ))}
    </nav>
  );
}

function told(): string {
  return link.value.state === "live" && status.value?.ready === false ? "not ready" : "";
}

/** Says that the server is lost; everything below is grey while it stands. */
export function LostBar() {
  if (link.value.state !== "lost") return null;
  return (
    <p class="lost" role="alert">
      <b>Connection lost.</b> {link.value.reason} What is shown is how it was at {clock.value.day(now.value)} (
      {clock.value.zone}). Trying again…
    </p>
  );
}
