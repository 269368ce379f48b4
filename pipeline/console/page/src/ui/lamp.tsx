import type { Light } from "../state/model";
import type { Lamp } from "../wire";
import { lampName } from "../words/names";

/** The sign of a lamp: its shape says the same as its colour. */
export function Sign({ lamp, size = "text" }: { lamp: Lamp; size?: "text" | "middle" | "large" }) {
  return <i class={`sign ${lamp} ${size}`} aria-hidden="true" />;
}

/** The sign with its word. */
export function Graded({ lamp }: { lamp: Lamp }) {
  return (
    <span class={`graded ${lamp}`}>
      <Sign lamp={lamp} />
      {lampName(lamp)}
    </span>
  );
}

/** "cnc-017, CNC controller, CRITICAL since Sun 02:30, would be quarantined" */
export function lightName(light: Light, type: string, since: string, response: string): string {
  const state = lampName(light.lamp);
  const from = light.since === null ? state : `${state} since ${since}`;
  return [light.id, type, from, response].filter((part) => part !== "").join(", ");
}
