import { countsVersion, model } from "../../state/session";
import { to } from "../../state/route";
import { total } from "../../state/model";
import { lampName, LAMPS, plural } from "../../words/names";

/** A heat strip: which share of a segment's devices is in which state. */
export function Strip({ id }: { id: string }) {
  void countsVersion.value;
  const counts = model.value?.segments.get(id)?.counts;
  if (counts === undefined) return null;
  const all = total(counts);
  const parts = LAMPS.filter((lamp) => counts[lamp] > 0);
  const said = parts.map((lamp) => `${counts[lamp].toLocaleString("en-US")} ${lampName(lamp)}`);
  return (
    <a class="strip-link" href={to.segment(id)} aria-label={`${id}: ${plural(all, "device")}, ${said.join(", ")}. Open.`}>
      <span class="strip" aria-hidden="true">
        {parts.map((lamp) => (
          <i key={lamp} class={`part ${lamp}`} style={{ flexGrow: counts[lamp] }} />
        ))}
      </span>
      <span class="strip-words" aria-hidden="true">
        {said.join(" · ")}
      </span>
    </a>
  );
}
