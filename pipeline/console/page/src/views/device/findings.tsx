import { to } from "../../state/route";
import { clock } from "../../state/session";
import type { Finding, Signal, Source, Verdict } from "../../wire";
import { digits, facts } from "../../words/facts";
import { lampOf, pattern } from "../../words/names";
import { Graded } from "../../ui/lamp";
import { Chart } from "./chart";

/** Each finding of a verdict with what was seen and what was expected. */
export function Findings({ verdict, signals }: { verdict: Verdict; signals: readonly Signal[] }) {
  // What several findings of a detector measured is one line: it is drawn with the first of them.
  const first = (finding: Finding, index: number) =>
    verdict.findings.findIndex(({ detector }) => detector === finding.detector) === index;
  return (
    <>
      <section>
        <h2>What was found</h2>
        <ol class="findings">
          {verdict.findings.map((finding, index) => (
            <FindingItem
              key={`${finding.detector}/${finding.window.start}/${index}`}
              finding={finding}
              signals={first(finding, index) ? signals.filter(({ detector }) => detector === finding.detector) : []}
            />
          ))}
        </ol>
        <p class="quiet">
          Measured against profile{" "}
          {verdict.profile.name === "" ? (
            "(none)"
          ) : (
            <a href={to.profile(verdict.profile.name, verdict.profile.hash)}>{verdict.profile.name}</a>
          )}
          {verdict.profile.version !== "" && `, version ${verdict.profile.version}`}
          {verdict.profile.hash !== "" && (
            <>
              , <code title={verdict.profile.hash}>{verdict.profile.hash.slice(0, 12)}</code>
            </>
          )}
          . <code>andon explain {verdict.verdict_id}</code> computes it again.
        </p>
      </section>
    </>
  );
}

function FindingItem({ finding, signals }: { finding: Finding; signals: readonly Signal[] }) {
  const grade = finding.counts_as ?? finding.grade;
  return (
    <li class={finding.active ? "finding" : "finding over"}>
      <h3>
        <Graded lamp={lampOf(grade)} />
        <span title={finding.detector}>{pattern(finding.detector)}</span>
        {!finding.active && <small>over</small>}
        {finding.count > 1 && <small>seen {finding.count.toLocaleString("en-US")} times</small>}
      </h3>
      <p>{finding.sentence}</p>
      {signals.length > 0 && (
        <div class="charts">
          {signals.map((signal) => (
            <Chart key={signal.name} signal={signal} />
          ))}
        </div>
      )}
      <div class="versus">
        <Side name="Seen" value={finding.observed} />
        <Side name="Expected" value={finding.expected} />
      </div>
      <dl class="facts small">
        <div>
          <dt>What would clear it</dt>
          <dd>{finding.clears}</dd>
        </div>
        <div>
          <dt>When</dt>
          <dd>
            {clock.value.day(finding.window.start)} – {clock.value.day(finding.window.end)} ({clock.value.zone})
          </dd>
        </div>
        <div>
          <dt>Rests on</dt>
          <dd>{restsOn(finding)}</dd>
        </div>
        {finding.techniques.length > 0 && (
          <div>
            <dt>ATT&amp;CK for ICS</dt>
            <dd>{finding.techniques.join(", ")}</dd>
          </div>
        )}
        <div>
          <dt>Proved by</dt>
          <dd class="sources">{finding.source.map(sourceText).join("; ") || "the absence of rows"}</dd>
        </div>
      </dl>
    </li>
  );
}

function Side({ name, value }: { name: string; value: unknown }) {
  const said = facts(value);
  return (
    <div class="side">
      <h4>{name}</h4>
      {said.length === 0 ? (
        <p class="quiet">nothing</p>
      ) : (
        <dl>
          {said.map((fact) => (
            <div key={fact.name}>
              {fact.name !== "" && <dt>{fact.name}</dt>}
              <dd>{fact.text}</dd>
            </div>
          ))}
        </dl>
      )}
    </div>
  );
}

function restsOn(finding: Finding): string {
  const { basis, n } = finding.confidence;
  const parts = [finding.rule ? "a rule of policy" : `evidence, ${basis.replaceAll("_", " ")}`];
  if (n > 0) parts.push(`${n.toLocaleString("en-US")} clean windows`);
  if (finding.p_value !== null) parts.push(`p = ${digits(finding.p_value)}`);
  if (finding.proven === false) parts.push("a sender that did not prove who it is");
  return parts.join(", ");
}

function sourceText({ topic, partition, offset }: Source): string {
  return `${topic} ${partition}:${offset.toLocaleString("en-US")}`;
}
