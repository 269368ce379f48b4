import { useComputed } from "@preact/signals";
import { countsVersion, isStill, link, model, now, plant } from "../../state/session";
import { total } from "../../state/model";
import { clock } from "../../state/session";
import { plural, spoken } from "../../words/names";
import { OpenList } from "./open";
import { SegmentTile } from "./segment";

/** The plant at a glance: lines and their lamps, and beside them what is open. */
export function BoardView() {
  if (model.value === null || plant.value === null) return <Waiting />;
  return (
    <div class="board">
      <OpenList />
      <div class="lines">
        <h1 class="hidden">Board of {plant.value.site}</h1>
        <Stillness />
        {lastOutside(plant.value.lines).map((line) => (
          <Line key={line.name} name={line.name} />
        ))}
        <Key />
      </div>
    </div>
  );
}

/** What stands in no line comes after the lines. */
function lastOutside<T extends { name: string }>(lines: readonly T[]): T[] {
  return [...lines.filter(({ name }) => name !== ""), ...lines.filter(({ name }) => name === "")];
}

function Line({ name }: { name: string }) {
  const segments = plant.value?.lines.find((line) => line.name === name)?.segments ?? [];
  const devices = useComputed(() => {
    void countsVersion.value;
    const counts = segments.map((segment) => model.value?.segments.get(segment.id)?.counts);
    return counts.reduce((sum, count) => sum + (count === undefined ? 0 : total(count)), 0);
  });
  if (devices.value === 0) return null;
  const heading = `line-${name}`;
  return (
    <section class="line" aria-labelledby={heading}>
      <h2 id={heading}>
        {name === "" ? "Outside the lines" : spoken(name)} <small>{plural(devices.value, "device")}</small>
      </h2>
      {segments.map((segment) => (
        <SegmentTile key={segment.id} segment={segment} />
      ))}
    </section>
  );
}

/** Said when the server answers, but nothing new comes in. */
function Stillness() {
  if (!isStill.value || link.value.state !== "live") return null;
  return (
    <p class="notice" role="status">
      No data since {clock.value.day(now.value)} ({clock.value.zone}). What is shown is how it was then.
    </p>
  );
}

function Key() {
  return (
    <p class="key no-print" aria-label="What the signs mean">
      {(["critical", "high", "medium", "low", "normal", "unknown"] as const).map((lamp) => (
        <span key={lamp}>
          <i class={`sign ${lamp} text`} aria-hidden="true" />
          {lamp === "normal" || lamp === "unknown" ? lamp : lamp.toUpperCase()}
        </span>
      ))}
      <span>unknown: never seen, or silent for too long to say anything</span>
    </p>
  );
}

function Waiting() {
  const text = link.value.state === "lost" ? link.value.reason : "Reading the plant…";
  return (
    <div class="board" aria-busy="true">
      <div class="lines">
        <h1 class="hidden">Board</h1>
        <p class="quiet" role="status">
          {text}
        </p>
        <div class="skeleton" aria-hidden="true" />
        <div class="skeleton" aria-hidden="true" />
      </div>
    </div>
  );
}
