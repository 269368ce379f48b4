/**
 * Reads a stream of server-sent events. The browser's own `EventSource` can send no `Authorization`
 * header and hides how long ago it last heard anything, so the few lines of the format are read here.
 */

export interface ServerEvent {
  id: string | null;
  event: string;
  data: string;
}

/** More than any event of ours; a line without an end must not grow for ever. */
const PENDING_MAX = 4 << 20;

export class EventParser {
  #pending = "";
  #id: string | null = null;
  #event = "";
  #data: string[] = [];

  /** Events that this piece completes. Pieces may end anywhere, between CR and LF too. */
  push(text: string): ServerEvent[] {
    this.#pending += text;
    if (this.#pending.length > PENDING_MAX) throw new Error("a line of the event stream never ends");
    const found: ServerEvent[] = [];
    const lines = this.#pending.split(/\r\n|\n|\r(?!$)/);
    this.#pending = lines.pop() ?? "";
    for (const line of lines) {
      const event = this.#line(line);
      if (event !== null) found.push(event);
    }
    return found;
  }

  #line(line: string): ServerEvent | null {
    if (line === "") return this.#dispatch();
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const field = colon === -1 ? line : line.slice(0, colon);
    const rest = colon === -1 ? "" : line.slice(colon + 1);
    const value = rest.startsWith(" ") ? rest.slice(1) : rest;
    if (field === "data") this.#data.push(value);
    else if (field === "event") this.#event = value;
    else if (field === "id" && !value.includes("\0")) this.#id = value;
    return null;
  }

  #dispatch(): ServerEvent | null {
    const event = { id: this.#id, event: this.#event || "message", data: this.#data.join("\n") };
    const isEmpty = this.#data.length === 0;
    this.#event = "";
    this.#data = [];
    return isEmpty ? null : event;
  }
}
