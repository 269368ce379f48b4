import { useEffect, useState } from "preact/hooks";
import { loadSegment, model, segmentVersion } from "../../state/session";
import { to } from "../../state/route";
import type { PlantSegment } from "../../wire";
import { plural, spoken } from "../../words/names";
import { sentence } from "../../net/client";
import { Lights } from "../../ui/lights";
import { Strip } from "./strip";

/** One segment of a line: its lamps, or its strip where the plant is too large for lamps. */
export function SegmentTile({ segment }: { segment: PlantSegment }) {
  void segmentVersion(segment.id).value;
  const known = model.value?.segments.get(segment.id);
  if (known === undefined || segment.devices === 0) return null;
  const name = segment.name === "" ? segment.id : segment.name;
  return (
    <section class="segment" aria-label={`Segment ${name}`}>
      <h3>
        <a href={to.segment(segment.id)}>{name}</a>
      </h3>
      {known.groups === null ? (
        <Strip id={segment.id} />
      ) : (
        <div class="groups">
          {known.groups.map((group) => (
            <div class="group" key={group.type}>
              <span class="type">
                {spoken(group.type)} <small>{group.lights.length.toLocaleString("en-US")}</small>
              </span>
              <Lights lights={group.lights} />
            </div>
          ))}
        </div>
      )}
    </section>
  );
}

/** A segment on a page of its own, always in lamps. */
export function SegmentView({ id }: { id: string }) {
  const [problem, setProblem] = useState("");
  void segmentVersion(id).value;
  const known = model.value?.segments.get(id);
  const isMissing = known !== undefined && known.groups === null;
  useEffect(() => {
    if (!isMissing) return;
    const abort = new AbortController();
    loadSegment(id, abort.signal).catch((error: unknown) => {
      if (!abort.signal.aborted) setProblem(sentence(error));
    });
    return () => abort.abort();
  }, [id, isMissing]);

  if (model.value !== null && known === undefined) {
    return <p class="page quiet">There is no segment "{id}" in this plant.</p>;
  }
  const groups = known?.groups ?? null;
  return (
    <div class="page">
      <h1>{id}</h1>
      {known !== undefined && <Strip id={id} />}
      {problem !== "" && <p role="alert">{problem}</p>}
      {groups === null && problem === "" && <div class="skeleton" aria-label="Reading the lamps" />}
      {groups?.map((group) => (
        <section key={group.type} class="alone">
          <h2>
            {spoken(group.type)} <small>{plural(group.lights.length, "device")}</small>
          </h2>
          <Lights lights={group.lights} />
        </section>
      ))}
    </div>
  );
}
