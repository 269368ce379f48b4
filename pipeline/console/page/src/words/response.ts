/** What is being done, and what it would mean: the sentences people decide by. */

import type { FlowMatch, Order, Response, VerdictRow } from "../wire";
import { actionDone, actionNoun, isOver, orderState } from "./names";

export function flowText(flow: FlowMatch): string {
  const door = [flow.transport, flow.port === null ? null : `port ${flow.port}`];
  const said = door.filter((part) => part !== null).join(" ");
  return said === "" ? flow.peer : `${flow.peer} (${said})`;
}

/** The state of the response in a few words, for a line of the open list. */
export function responseState(row: VerdictRow, order: Order | undefined): string {
  if (order !== undefined) return orderText(order);
  if (row.action === "log") return "logged for review";
  if (row.mode === "monitor") return wouldBe(row.action);
  if (row.approval === "required") return `${actionNoun(row.action)} needs a person`;
  return `${actionNoun(row.action)} ordered`;
}

/** What is only said: of a restriction, that flows are blocked and not the device. */
function wouldBe(action: Response["action"]): string {
  return action === "restrict" ? "offending flows would be blocked" : `would be ${actionDone(action)}`;
}

export function orderText(order: Order): string {
  const { action, mode } = order.command.response;
  const noun = order.command.release ? "release" : actionNoun(action);
  if (mode === "monitor" && !isOver(order.state)) {
    if (order.command.release) return "would be released";
    return order.state === "proposed" ? `${noun} would wait for a person` : wouldBe(action);
  }
  if (order.state === "acknowledged") return order.command.release ? "released" : actionDone(action);
  return `${noun} ${orderState(order.state)}`;
}

export interface Consequence {
  /** What will be cut, one sentence. */
  cut: string;
  /** What stays up, one sentence before the list of flows. */
  stays: string;
  flows: string[];
}

/** What following a command means for its device. */
export function consequence(device: string, response: Response, isRelease: boolean): Consequence {
  const flows = response.exceptions.map(flowText);
  if (isRelease) {
    return { cut: `Nothing. Everything that was cut for ${device} is open again.`, stays: "", flows: [] };
  }
  const kept =
    flows.length === 0
      ? "No flow of it is excepted."
      : `These flows stay up, whatever happens:`;
  switch (response.action) {
    case "log":
    case "watch":
      return { cut: "Nothing is cut: it is only looked at more closely.", stays: "", flows: [] };
    case "restrict": {
      const scope = response.scope.map(flowText).join(", ");
      const what = scope === "" ? "the offending flows" : `its flows with ${scope}`;
      return { cut: `Of ${device}, only ${what} will be cut.`, stays: kept, flows };
    }
    case "isolate":
      return {
        cut: `${device} will lose every connection but those to its historian, updates, attestation and safety functions. It leaves production.`,
        stays: kept,
        flows,
      };
    case "quarantine":
      return {
        cut: `${device} will lose every connection but its safety flows. What it controls goes on without commands from outside.`,
        stays: kept,
        flows,
      };
  }
}

/** The whole consequence in one sentence: what is asked for twice before it is done. */
export function consequenceText(device: string, response: Response, isRelease: boolean): string {
  const { cut, flows } = consequence(device, response, isRelease);
  return flows.length === 0 ? cut : `${cut} Stays up: ${flows.join(", ")}.`;
}

/** What a person does about a device of his own accord. */
export type ByHand = "quarantine" | "release" | "suppress";

/** The whole consequence of that, in words. */
export function actConsequence(act: ByHand, device: string): string {
  switch (act) {
    case "quarantine":
      return `${device} will lose every connection but its safety flows, until the hours are over or a person releases it. What it controls goes on without commands from outside.`;
    case "release":
      return `Everything that was cut for ${device} is open again, whatever its verdict says.`;
    case "suppress":
      return `For so long nothing more will be cut for ${device}, unless a rule of grade CRITICAL asks for it. What is in force already stays in force.`;
  }
}
