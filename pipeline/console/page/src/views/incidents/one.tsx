import { useState } from "preact/hooks";
import { get, post, Problem, sentence } from "../../net/client";
import { clock, incidentsVersion, now, ordersVersion, status } from "../../state/session";
import { useReading } from "../../state/reading";
import { to } from "../../state/route";
import { token } from "../../state/token";
import type { Incident, Judgement, VerdictDetail } from "../../wire";
import { lampOf } from "../../words/names";
import { judgementName, story } from "../../words/story";
import { ageText } from "../../words/time";
import { Confirm } from "../../ui/confirm";
import { Graded } from "../../ui/lamp";
import { TokenForm } from "../../ui/token";
import { devicesText } from ".";

/** Of so many verdicts everything is told; of the others that they are in it. */
const TOLD_MAX = 20;

interface Loaded {
  incident: Incident;
  details: VerdictDetail[];
}

/** One incident: what belongs to it, what happened in order, and what people found it to be. */
export function IncidentView({ id }: { id: string }) {
  const news = `${incidentsVersion.value}/${ordersVersion.value}`;
  const { value, problem } = useReading(id, news, (signal) => read(id, signal));
  const said = problem === null ? "" : sentence(problem);
  if (value === null) {
    return (
      <div class="page" aria-busy={said === ""}>
        <h1>Incident</h1>
        {said === "" ? <div class="skeleton" aria-label="Reading" /> : <p role="alert">{said}</p>}
      </div>
    );
  }
  const { incident, details } = value;
  return (
    <article class="page">
      {said !== "" && <p role="alert">{said} What is shown is older.</p>}
      <header class="title">
        <p class="state">
          <Graded lamp={lampOf(incident.grade)} />
          <span>
            {incident.state}, since {clock.value.day(incident.began)} ({clock.value.zone}),{" "}
            {ageText(incident.began, now.value)}
          </span>
        </p>
        <h1>{devicesText(incident)}</h1>
      </header>
      <p class="headline">{incident.sentence}</p>
      <Facts incident={incident} />
      <Timeline incident={incident} details={details} />
      <Verdicts incident={incident} />
      <Judge incident={incident} />
      <p class="quiet after">
        <code>andon incident export {incident.incident_id}</code> writes it with its evidence, to be handed over.
      </p>
    </article>
  );
}

async function read(id: string, signal: AbortSignal): Promise<Loaded> {
  const incident = await get<Incident>(`v1/incidents/${encodeURIComponent(id)}`, signal);
  const told = incident.verdicts.slice(0, TOLD_MAX).map(async ({ verdict_id }) => {
    try {
      return await get<VerdictDetail>(`v1/verdicts/${encodeURIComponent(verdict_id)}`, signal);
    } catch (error) {
      // One that has been over for long is no longer kept.
      if (error instanceof Problem && error.status === 404) return null;
      throw error;
    }
  });
  const details = (await Promise.all(told)).filter((detail) => detail !== null);
  return { incident, details };
}

function Facts({ incident }: { incident: Incident }) {
  const facts: [string, string][] = [
    ["Segments", incident.segments.join(", ")],
    ["Destinations, attackers", incident.destinations.join(", ")],
    ["ATT&CK for ICS", incident.techniques.join(", ")],
    ["Last thing found", `${clock.value.day(incident.last)}, ${ageText(incident.last, now.value)}`],
  ];
  return (
    <dl class="facts">
      {facts
        .filter(([, text]) => text !== "")
        .map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
    </dl>
  );
}

function Timeline({ incident, details }: Loaded) {
  return (
    <section>
      <h2>What happened</h2>
      <ol class="timeline">
        {story(incident, details).map(({ at, kind, device, by, what }, index) => (
          <li key={index} class={kind}>
            <time dateTime={at} title={`${clock.value.full(at)} (${clock.value.zone})`}>
              {clock.value.day(at)}
            </time>
            <span>
              {device !== "" && <a href={to.device(device)}>{device}</a>} {what}
              {by !== null && <span class="quiet"> by {by}</span>}
            </span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function Verdicts({ incident }: { incident: Incident }) {
  return (
    <section>
      <h2>What belongs to it</h2>
      <ul class="plain">
        {incident.verdicts.map(({ verdict_id, device_id, grade, state, link, began }) => (
          <li key={verdict_id}>
            <a href={to.verdict(verdict_id)} data-item>
              <Graded lamp={lampOf(grade)} /> {device_id}
            </a>{" "}
            <span class="quiet">
              {state}, since {clock.value.day(began)}
              {link !== "first" && `, by the same ${link}`}
            </span>
          </li>
        ))}
      </ul>
      {incident.more > 0 && <p class="quiet">And {incident.more.toLocaleString("en-US")} verdicts more.</p>}
    </section>
  );
}

const WAYS: readonly [Judgement, string, string][] = [
  ["true_positive", "True…", "It was what it looked like."],
  ["benign", "Benign…", "It happened, and was meant to."],
  ["false_positive", "False alarm…", "Nothing of the kind happened."],
];

/** What people found it to be. */
function Judge({ incident }: { incident: Incident }) {
  const [way, setWay] = useState<Judgement | null>(null);
  if (status.value !== null && status.value.waiting_approvals === null) return null;
  const { judged } = incident;
  const chosen = WAYS.find(([judgement]) => judgement === way);
  return (
    <section class="no-print" aria-labelledby="judge-heading">
      <h2 id="judge-heading">What was it?</h2>
      {judged !== null && (
        <p role="status">
          Judged {judgementName(judged.judgement)} by {judged.by}, {clock.value.day(judged.at)}: {judged.note}
        </p>
      )}
      {chosen === undefined ? (
        <p class="buttons">
          {WAYS.map(([judgement, name]) => (
            <button key={judgement} type="button" onClick={() => setWay(judgement)}>
              {name}
            </button>
          ))}
        </p>
      ) : (
        <>
          <Confirm
            key={way}
            text={`${chosen[2]} The verdicts stay as they are.`}
            yes={`Yes, judge it ${judgementName(chosen[0])}`}
            onCancel={() => setWay(null)}
            onYes={async ({ reason, key }) => {
              const path = `v1/incidents/${encodeURIComponent(incident.incident_id)}/judge`;
              await post<Incident>(path, { reason, judgement: chosen[0] }, key);
              incidentsVersion.value += 1;
              setWay(null);
            }}
          />
          {token.value === "" && <TokenForm />}
        </>
      )}
    </section>
  );
}
