import { useEffect, useState } from "preact/hooks";
import { get, sentence } from "../net/client";
import { clock, isLost } from "../state/session";
import type { FullStatus } from "../wire";
import { digits, short } from "../words/facts";
import { openText } from "../words/elsewhere";
import { plural } from "../words/names";
import { spanText } from "../words/time";

const READ_MS = 2_000;

/** How the pipeline itself is. */
export function HealthView() {
  const [found, setFound] = useState<FullStatus | null>(null);
  const [problem, setProblem] = useState("");
  useEffect(() => {
    const abort = new AbortController();
    const read = () =>
      get<FullStatus>("v1/status", abort.signal).then(
        (status) => {
          setFound(status);
          setProblem("");
        },
        (error: unknown) => {
          if (!abort.signal.aborted) setProblem(sentence(error));
        },
      );
    void read();
    const timer = setInterval(() => void read(), READ_MS);
    return () => {
      clearInterval(timer);
      abort.abort();
    };
  }, []);
  return (
    <div class={isLost.value ? "page stale" : "page"}>
      <h1>Health</h1>
      {problem !== "" && <p role="alert">{problem}</p>}
      {found === null ? problem === "" && <div class="skeleton" aria-label="Reading" /> : <Figures status={found} />}
    </div>
  );
}

function Figures({ status }: { status: FullStatus }) {
  const rejects = Object.entries(status.rejects_by_reason).sort(([, a], [, b]) => b - a);
  const figures: [string, string][] = [
    ["Events per second", short(status.events_per_second)],
    ["Lag", status.lag_ms === null ? "none: plant time is not wall time" : lagText(status.lag_ms)],
    ["Newest data", `${clock.value.full(status.at)} (${clock.value.zone})`],
    ["Mode", status.mode === "monitor" ? "monitor: says what it would do" : "enforce"],
    ["Records taken in", status.records.toLocaleString("en-US")],
    ["Rejected", status.rejects.toLocaleString("en-US")],
    ["Late", status.late.toLocaleString("en-US")],
    ["Duplicates", status.duplicates.toLocaleString("en-US")],
    ["Open verdicts", openText(status)],
    ["Waiting for a person", status.waiting_approvals?.toLocaleString("en-US") ?? "decisions are not taken here"],
    ["Readers of the event stream", status.clients.toLocaleString("en-US")],
    ["Up for", spanText(status.uptime_s * 1000)],
    ["Version", status.version],
  ];
  return (
    <>
      {status.ready ? (
        <p class="headline">Ready: everything it needs is there.</p>
      ) : (
        <div class="notice" role="status">
          <p>
            <strong>Not ready.</strong>
          </p>
          <ul>
            {status.unmet.map(({ condition, reason }) => (
              <li key={condition}>
                {condition.replaceAll("_", " ")}: {reason}
              </li>
            ))}
          </ul>
        </div>
      )}
      <dl class="figures">
        {figures.map(([name, text]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
      <h2>Rejected, by reason</h2>
      {rejects.length === 0 ? (
        <p class="quiet">Nothing was rejected.</p>
      ) : (
        <table>
          <caption class="hidden">{plural(status.rejects, "rejected record")}, by reason</caption>
          <thead>
            <tr>
              <th scope="col">Reason</th>
              <th scope="col" class="number">
                Records
              </th>
            </tr>
          </thead>
          <tbody>
            {rejects.map(([reason, count]) => (
              <tr key={reason}>
                <td title={reason}>{reason.replaceAll("_", " ")}</td>
                <td class="number">{count.toLocaleString("en-US")}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </>
  );
}

export function lagText(ms: number): string {
  return ms < 1_000 ? `${digits(Math.round(ms))} ms` : spanText(ms);
}
