/** The story of an incident: what was found and what was done, in order. */

import type { Incident, VerdictDetail } from "../wire";
import { actionNoun, orderState } from "./names";

export interface Moment {
  at: string;
  /** What kind of thing happened: it is drawn in front. */
  kind: "found" | "done" | "judged";
  device: string;
  by: string | null;
  what: string;
}

/** Puts together what the verdicts and the commands of an incident tell; oldest first. */
export function story(incident: Incident, details: readonly VerdictDetail[]): Moment[] {
  const moments: Moment[] = [];
  for (const { verdict, revisions, commands } of details) {
    const device = verdict.device_id;
    let told = "";
    for (const { at, state, grade, sentence } of revisions) {
      // A revision that says the same again is no news.
      const what = state === "cleared" ? "cleared" : `${grade}: ${sentence}`;
      if (what !== told) moments.push({ at, kind: "found", device, by: null, what });
      told = what;
    }
    for (const { command, history } of commands) {
      for (const { at, state, by, reason } of history) {
        const noun = actionNoun(command.response.action);
        const isSaid = state === "issued" && command.response.mode === "monitor";
        const why = reason === "" ? "" : `: ${reason}`;
        const what = isSaid ? `${noun}, only said: monitor mode` : `${noun}, ${orderState(state)}${why}`;
        moments.push({ at, kind: "done", device, by, what });
      }
    }
  }
  if (incident.judged !== null) {
    const { at, by, judgement, note } = incident.judged;
    moments.push({ at, kind: "judged", device: "", by, what: `judged ${judgementName(judgement)}: ${note}` });
  }
  const order = { found: 0, done: 1, judged: 2 };
  return moments.sort((a, b) => compare(a.at, b.at) || order[a.kind] - order[b.kind]);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function judgementName(judgement: string): string {
  return judgement.replaceAll("_", " ");
}
