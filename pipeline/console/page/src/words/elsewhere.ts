/** What can be said of a device that another process of the same group holds. */

import type { Device, DeviceRow } from "../wire";

/** Its verdict is open, and kept there. */
export function isKeptElsewhere(device: Device | null): boolean {
  return device !== null && device.verdict_id !== null && device.open === null;
}

/** Why there is no moment at which it was last seen: nobody ever saw it, or that is known elsewhere. */
export function unseenText(device: Pick<DeviceRow, "risk"> | null): string {
  return device === null || device.risk.band === "unknown" ? "never" : "by another process";
}
