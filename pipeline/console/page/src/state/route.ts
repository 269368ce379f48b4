/** Where the page is: in the fragment of the address, so that every view can be pasted into a ticket. */

import { signal } from "@preact/signals";

export type Route =
  | { view: "board" }
  | { view: "segment"; id: string }
  | { view: "devices"; query: URLSearchParams }
  | { view: "device"; id: string }
  | { view: "verdict"; id: string }
  | { view: "incidents" }
  | { view: "incident"; id: string }
  | { view: "approvals" }
  | { view: "profiles" }
  | { view: "profile"; id: string; query: URLSearchParams }
  | { view: "health" }
  | { view: "nowhere"; path: string };

export function parse(fragment: string): Route {
  const [path = "", query = ""] = fragment.replace(/^#/, "").split("?", 2);
  const parts = path.split("/").filter((part) => part !== "").map(decode);
  const [head, id, more] = parts;
  if (more !== undefined) return { view: "nowhere", path };
  switch (head) {
    case undefined:
      return { view: "board" };
    case "segments":
      return id === undefined ? { view: "board" } : { view: "segment", id };
    case "devices":
      return id === undefined ? { view: "devices", query: new URLSearchParams(query) } : { view: "device", id };
    case "verdicts":
      return id === undefined ? { view: "board" } : { view: "verdict", id };
    case "incidents":
      return id === undefined ? { view: "incidents" } : { view: "incident", id };
    case "approvals":
      return { view: "approvals" };
    case "profiles":
      return id === undefined
        ? { view: "profiles" }
        : { view: "profile", id, query: new URLSearchParams(query) };
    case "health":
      return { view: "health" };
    default:
      return { view: "nowhere", path };
  }
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export const to = {
  board: "#/",
  approvals: "#/approvals",
  health: "#/health",
  incidents: "#/incidents",
  incident: (id: string) => `#/incidents/${encodeURIComponent(id)}`,
  profiles: "#/profiles",
  /** `against` is the hash of what something was measured against. */
  profile: (type: string, against = "") =>
    `#/profiles/${encodeURIComponent(type)}${against === "" ? "" : `?against=${encodeURIComponent(against)}`}`,
  segment: (id: string) => `#/segments/${encodeURIComponent(id)}`,
  device: (id: string) => `#/devices/${encodeURIComponent(id)}`,
  verdict: (id: string) => `#/verdicts/${encodeURIComponent(id)}`,
  devices: (query: Record<string, string> = {}) => {
    const text = new URLSearchParams(query).toString();
    return text === "" ? "#/devices" : `#/devices?${text}`;
  },
};

export const route = signal<Route>({ view: "board" });

export function go(href: string): void {
  location.hash = href;
}

export function followAddress(): void {
  const read = () => (route.value = parse(location.hash));
  addEventListener("hashchange", read);
  read();
}
