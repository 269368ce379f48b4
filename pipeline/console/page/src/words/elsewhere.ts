/** What can be said of a device that another process of the same group holds. */

import type { Device, DeviceRow, Status } from "../wire";
import { plural } from "./names";

/** Its verdict is open, and kept there. */
export function isKeptElsewhere(device: Device | null): boolean {
  return device !== null && device.verdict_id !== null && device.open === null;
}

/** Why there is no moment at which it was last seen: nobody ever saw it, or that is known elsewhere. */
export function unseenText(device: Pick<DeviceRow, "risk"> | null): string {
  return device === null || device.risk.band === "unknown" ? "never" : "by another process";
}

/** How many verdicts are open, and how many of them are not listed here. */
export function openText(status: Pick<Status, "verdicts_open" | "verdicts_elsewhere">): string {
  const own = status.verdicts_open.toLocaleString("en-US");
  if (status.verdicts_elsewhere === 0) return own;
  return `${own} here, ${status.verdicts_elsewhere.toLocaleString("en-US")} raised by others or before this process began`;
}

/** What the list of open verdicts leaves out; empty if nothing. */
export function leftOutText(elsewhere: number): string {
  return elsewhere === 0
    ? ""
    : `${plural(elsewhere, "more device")} ${elsewhere === 1 ? "has" : "have"} an open verdict, raised by another process ` +
        "of the group or before this one began.";
}
