import { useState } from "preact/hooks";
import { get, sentence } from "../../net/client";
import { clock, incidentsVersion, now } from "../../state/session";
import { useReading } from "../../state/reading";
import { to } from "../../state/route";
import type { Incident } from "../../wire";
import { lampOf } from "../../words/names";
import { judgementName } from "../../words/story";
import { ageText } from "../../words/time";
import { Graded } from "../../ui/lamp";

interface Page {
  incidents: Incident[];
  next: string | null;
}

/** What belongs together: the one in which something happened last first. */
export function IncidentsView() {
  const [isAll, setAll] = useState(false);
  const { value, problem } = useReading(isAll ? "all" : "open", incidentsVersion.value, (signal) =>
    get<Page>(`v1/incidents?limit=200${isAll ? "&state=all" : ""}`, signal),
  );
  return (
    <div class="page">
      <h1>Incidents</h1>
      <p class="buttons no-print">
        <button type="button" aria-pressed={!isAll} onClick={() => setAll(false)}>
          Open
        </button>
        <button type="button" aria-pressed={isAll} onClick={() => setAll(true)}>
          All that are kept
        </button>
      </p>
      {problem !== null && <p role="alert">{sentence(problem)}</p>}
      {value === null && problem === null && <div class="skeleton" aria-label="Reading" />}
      {value?.incidents.length === 0 && (
        <p class="quiet">{isAll ? "No incident is kept." : "No incident is open."}</p>
      )}
      <ol class="incidents">
        {value?.incidents.map((incident) => (
          <IncidentRow key={incident.incident_id} incident={incident} />
        ))}
      </ol>
      {value !== null && value.next !== null && (
        <p class="quiet">These are the latest {value.incidents.length}. The others: andon incident list.</p>
      )}
    </div>
  );
}

function IncidentRow({ incident }: { incident: Incident }) {
  const verdicts = incident.verdicts.length + incident.more;
  return (
    <li>
      <a class="incident" href={to.incident(incident.incident_id)} data-item data-incident={incident.incident_id}>
        <span class="top">
          <Graded lamp={lampOf(incident.grade)} />
          <strong>{devicesText(incident)}</strong>
          <time dateTime={incident.last} title={`${clock.value.full(incident.last)} (${clock.value.zone})`}>
            {ageText(incident.last, now.value)}
          </time>
        </span>
        <span class="why">{incident.sentence}</span>
        <span class="done">
          {incident.state}
          {verdicts > 1 && `, ${verdicts} verdicts`}
          {incident.judged !== null && `, judged ${judgementName(incident.judged.judgement)}`}
        </span>
      </a>
    </li>
  );
}

/** The first device, and how many more. */
export function devicesText(incident: Incident): string {
  const devices = new Set(incident.verdicts.map(({ device_id }) => device_id));
  const [first = "nobody"] = devices;
  const more = devices.size - 1;
  return more === 0 ? first : `${first} and ${more} more`;
}
