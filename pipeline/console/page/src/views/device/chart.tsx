import { clock } from "../../state/session";
import type { Signal } from "../../wire";
import { chart } from "../../words/chart";

const [WIDTH, HEIGHT] = [300, 88];
/** Room for the texts on the right. */
const TEXTS = 168;

/** What was measured, with its band behind it. */
export function Chart({ signal }: { signal: Signal }) {
  const drawing = chart(signal, WIDTH, HEIGHT);
  if (drawing === null) return null;
  const said = drawing.marks.map(({ text }) => text).join(", ");
  return (
    <figure class="chart">
      <figcaption>{signal.name}</figcaption>
      <svg viewBox={`-6 -8 ${WIDTH + TEXTS + 12} ${HEIGHT + 28}`} role="img" aria-label={`${signal.name}: ${said}`}>
        {drawing.bands.map(({ y, height }, index) => (
          <rect key={index} class="band" x="0" y={y} width={WIDTH} height={height} />
        ))}
        {drawing.lines.map((y, index) => (
          <line key={index} class="limit" x1="0" x2={WIDTH} y1={y} y2={y} />
        ))}
        <line class="axis" x1="0" x2={WIDTH} y1={HEIGHT} y2={HEIGHT} />
        <path class="curve" d={drawing.path} />
        {drawing.dots.map(({ x, y, text }, index) => (
          <circle key={index} class="dot" cx={x} cy={y} r="2.5">
            <title>{text}</title>
          </circle>
        ))}
        {drawing.marks.map(({ text, textY, kind }) => (
          <text key={text} class={kind} x={WIDTH + 8} y={textY + 4}>
            {text}
          </text>
        ))}
        <text class="time" x="0" y={HEIGHT + 16}>
          {clock.value.day(drawing.from)}
        </text>
        {drawing.from !== drawing.until && (
          <text class="time" x={WIDTH} y={HEIGHT + 16} text-anchor="end">
            {clock.value.day(drawing.until)}
          </text>
        )}
      </svg>
    </figure>
  );
}
