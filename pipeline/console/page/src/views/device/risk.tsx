import { clock, now } from "../../state/session";
import type { Device } from "../../wire";
import { steps } from "../../words/steps";

const [WIDTH, HEIGHT] = [300, 96];
/** Where the bands of risk begin. */
const BANDS: readonly [number, string][] = [
  [50, "medium"],
  [75, "high"],
  [95, "critical"],
];

export function RiskLine({ history }: { history: Device["risk_history"] }) {
  const drawing = steps(history, now.value, WIDTH, HEIGHT);
  if (drawing === null) return <p class="quiet">No risk was published for it yet.</p>;
  const last = history.at(-1);
  const told = last?.score == null ? "unknown" : `${last.score} of 100, ${last.band}`;
  return (
    <figure class="risk">
      <svg viewBox={`-4 -6 ${WIDTH + 76} ${HEIGHT + 12}`} role="img" aria-label={`Risk over time, now ${told}`}>
        {BANDS.map(([score, name]) => {
          const y = HEIGHT - (score / 100) * HEIGHT;
          return (
            <g key={name}>
              <line class="tick" x1="0" x2={WIDTH} y1={y} y2={y} />
              <text x={WIDTH + 6} y={y + 4}>
                {score} {name}
              </text>
            </g>
          );
        })}
        <line class="axis" x1="0" x2={WIDTH} y1={HEIGHT} y2={HEIGHT} />
        {drawing.paths.map((path) => (
          <path key={path} class="curve" d={path} />
        ))}
        {drawing.end !== null && <circle class="dot" cx={drawing.end.x} cy={drawing.end.y} r="3" />}
      </svg>
      <figcaption>
        <span>{clock.value.day(drawing.from)}</span>
        <span>now {told}</span>
        <span>{clock.value.day(drawing.until)}</span>
      </figcaption>
    </figure>
  );
}
