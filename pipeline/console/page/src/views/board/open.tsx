import { useState } from "preact/hooks";
import { clock, isStill, link, now, open, openIsCut, orders, status } from "../../state/session";
import { to } from "../../state/route";
import type { VerdictRow } from "../../wire";
import { leftOutText } from "../../words/elsewhere";
import { lampOf } from "../../words/names";
import { responseState } from "../../words/response";
import { ageText } from "../../words/time";
import { Graded } from "../../ui/lamp";

const PAGE = 60;

/** What is open, worst first: one line says which, how badly, why, since when, and what is done. */
export function OpenList() {
  const [shown, setShown] = useState(PAGE);
  const rows = open.value;
  const elsewhere = status.value?.verdicts_elsewhere ?? 0;
  const count = Math.max(rows.length, openIsCut.value ? (status.value?.verdicts_open ?? 0) : 0);
  return (
    <aside class="open" aria-labelledby="open-heading">
      <h2 id="open-heading">
        Open <small>{count === 0 ? "" : count.toLocaleString("en-US")}</small>
      </h2>
      {rows.length === 0 ? <p class="quiet">{nothing(elsewhere)}</p> : null}
      <ol>
        {rows.slice(0, shown).map((row) => (
          <OpenRow key={row.verdict_id} row={row} />
        ))}
      </ol>
      {rows.length > shown && (
        <button type="button" onClick={() => setShown(shown + PAGE)}>
          {`Show ${Math.min(PAGE, rows.length - shown)} more of ${count.toLocaleString("en-US")}`}
        </button>
      )}
      {rows.length <= shown && openIsCut.value && (
        <p class="quiet">The worst {rows.length} are listed. The others are under Devices.</p>
      )}
      {elsewhere > 0 && (
        <p class="quiet" data-elsewhere>
          {leftOutText(elsewhere)} <a href={to.devices()}>All devices</a>
        </p>
      )}
    </aside>
  );
}

function OpenRow({ row }: { row: VerdictRow }) {
  const response = responseState(row, orders.value.get(row.verdict_id));
  return (
    <li>
      <a class="incident" href={to.verdict(row.verdict_id)} data-item data-verdict={row.verdict_id}>
        <span class="top">
          <Graded lamp={lampOf(row.grade)} />
          <strong>{row.device_id}</strong>
          <time dateTime={row.event_time} title={`${clock.value.full(row.event_time)} (${clock.value.zone})`}>
            {ageText(row.event_time, now.value)}
          </time>
        </span>
        <span class="why">{row.sentence}</span>
        <span class="done">{response}</span>
      </a>
    </li>
  );
}

/** Silence is not health: that nothing is open says something only while everything is heard. */
function nothing(elsewhere: number): string {
  if (openIsCut.value) return "None of those that were listed is open any more. The others are under Devices.";
  if (elsewhere > 0) return "Nothing that this process has raised is open.";
  const isHeard = link.value.state === "live" && status.value?.ready === true && !isStill.value;
  return isHeard
    ? "Nothing open. Every device that can be judged behaves as its type does."
    : "Nothing is known to be open.";
}
