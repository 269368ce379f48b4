import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import type { Incident, VerdictRow } from "../../../src/wire";
import { launch, Look, told, type Scheme } from "../look";

const url = told("PAGE_URL");
let browser: Browser;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** The verdict that the demo is about: found at 02:30. */
async function worst(look: Look): Promise<VerdictRow> {
  await look.page.locator(".incident").first().waitFor();
  const { verdicts } = await look.ask<{ verdicts: VerdictRow[] }>("v1/verdicts?state=open&limit=500");
  const row = verdicts.find(({ grade }) => grade === "CRITICAL");
  assert.ok(row);
  return row;
}

for (const width of [1440, 390]) {
  for (const scheme of ["light", "dark"] as Scheme[]) {
    test(`every view holds at ${width} px, ${scheme}`, async () => {
      const look = await Look.open(browser, url, width, scheme);
      const row = await worst(look);
      const { incidents } = await look.ask<{ incidents: Incident[] }>("v1/incidents");
      const incident = incidents.find(({ verdicts }) => verdicts.some(({ verdict_id }) => verdict_id === row.verdict_id));
      assert.ok(incident, "the worst verdict belongs to an incident");
      const views: [string, string, string][] = [
        ["board", "#/", ".lights .light"],
        ["segment", `#/segments/${encodeURIComponent(row.segment)}`, ".alone .light"],
        ["devices", "#/devices", "table.devices a"],
        ["verdict", `#/verdicts/${row.verdict_id}`, ".finding"],
        ["device", `#/devices/${row.device_id}`, ".finding"],
        ["incidents", "#/incidents", ".incident"],
        ["incident", `#/incidents/${incident.incident_id}`, ".timeline li"],
        ["approvals", "#/approvals", "h1"],
        ["profiles", "#/profiles", "table.profiles"],
        ["profile", `#/profiles/${encodeURIComponent(row.device_type)}`, ".sheet"],
        ["health", "#/health", ".figures"],
        ["nowhere", "#/no-such-view", "h1"],
      ];
      for (const [name, fragment, ready] of views) {
        await look.go(fragment, ready);
        await look.shot(`${name}-${width}-${scheme}`);
        await look.mustHold(`${name} at ${width} px, ${scheme}`);
      }
      await look.close();
    });
  }
}

test("a device of a type without a profile leads to what is said of such types", async () => {
  const look = await Look.open(browser, url, 390);
  await look.go("#/devices/gw-cnc-safety", ".title");
  await look.page.locator(".title").getByRole("link", { name: "Gateway" }).click();
  await look.page.getByText("No profile of this name is in force.").waitFor();
  // That there is none is what the console complains about.
  look.complaints.length = 0;
  await look.mustHold("no profile at 390 px");
  await look.page.getByRole("link", { name: "Devices of this type" }).click();
  await look.page.locator("table.devices a", { hasText: "gw-cnc-safety" }).waitFor();
  await look.page.getByText("All types").click();
  await look.page.locator("table.devices a", { hasText: "agv-03-0001" }).waitFor();
  await look.close();
});
