/** Names as people say them. */

import type { Action, Grade, Lamp, OrderState } from "../wire";

/** Worst first: the order of counts, strips and lists. */
export const LAMPS: readonly Lamp[] = ["critical", "high", "medium", "low", "unknown", "normal"];

const RANKS: Record<Grade, number> = { CRITICAL: 3, HIGH: 2, MEDIUM: 1, LOW: 0 };
const ACRONYMS = new Set(["cnc", "agv", "rfid", "cmm", "plc", "hmi", "ups", "io", "ntp", "it", "ot"]);

const MAKERS = new Map([
  ["fanuc", "Fanuc"],
  ["siemens", "Siemens"],
]);

/** 3 for CRITICAL down to 0 for LOW. */
export function rank(grade: Grade): number {
  return RANKS[grade] ?? -1;
}

export function lampOf(grade: Grade): Lamp {
  return grade.toLowerCase() as Lamp;
}

/** As it stands in a heading or a list: grades are shouted, the rest is not. */
export function lampName(lamp: Lamp): string {
  return lamp === "normal" || lamp === "unknown" ? lamp : lamp.toUpperCase();
}

/** `cnc_controller_fanuc` is a "CNC controller Fanuc". */
export function spoken(name: string): string {
  const words = name.split(/[_\s-]+/).filter((word) => word !== "");
  const said = words.map((word) =>
    ACRONYMS.has(word.toLowerCase()) ? word.toUpperCase() : (MAKERS.get(word) ?? word),
  );
  const text = said.join(" ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The name of a detector inside a sentence. */
export function pattern(detector: string): string {
  return detector.replaceAll("_", " ");
}

const DONE: Record<Action, string> = {
  log: "logged",
  watch: "watched closely",
  restrict: "offending flows blocked",
  isolate: "isolated",
  quarantine: "quarantined",
};

const NOUN: Record<Action, string> = {
  log: "log entry",
  watch: "closer watch",
  restrict: "block of the offending flows",
  isolate: "isolation",
  quarantine: "quarantine",
};

export function actionDone(action: Action): string {
  return DONE[action] ?? action;
}

export function actionNoun(action: Action): string {
  return NOUN[action] ?? action;
}

const ORDER_STATES: Record<OrderState, string> = {
  proposed: "waits for a person",
  approved: "approved",
  issued: "ordered, not yet confirmed",
  acknowledged: "in force",
  failed: "failed at the enforcement point",
  timed_out: "not confirmed in time",
  expired: "lapsed",
  released: "released",
  rejected: "rejected",
  waiting: "held back for now",
};

export function orderState(state: OrderState): string {
  return ORDER_STATES[state] ?? state.replaceAll("_", " ");
}

/** What its people have to know at a glance: whether something is being done. */
export function isOver(state: OrderState): boolean {
  return state === "expired" || state === "released" || state === "rejected";
}

/** Whether enforcement points have been told of it and it has not ended. */
export function isInForce(state: OrderState): boolean {
  return state === "issued" || state === "acknowledged" || state === "failed" || state === "timed_out";
}

export function plural(count: number, one: string, many = `${one}s`): string {
  return `${count.toLocaleString("en-US")} ${count === 1 ? one : many}`;
}
