import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser } from "playwright-core";
import type { Profile, Profiles } from "../../../src/wire";
import { launch, Look, told } from "../look";

const url = told("PAGE_URL");
const TYPE = "cnc_controller_fanuc";
const file = join(told("PAGE_PROFILES"), `${TYPE}.yaml`);
let browser: Browser;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

test("a profile is found from the list and from a device, by keyboard", async () => {
  const look = await Look.open(browser, url);
  const { page } = look;
  await page.locator(".lights").first().waitFor();
  await page.keyboard.press("p");
  await page.locator("table.profiles").first().waitFor();
  const { profiles, without } = await look.ask<Profiles>("v1/profiles");
  assert.equal(await page.locator("[data-profile]").count(), profiles.length);
  assert.ok(without.length > 0);
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.locator(".sheet").first().waitFor();
  assert.match(page.url(), new RegExp(`#/profiles/${profiles[0]?.device_type}$`));

  await look.go("#/devices/cnc-controller-01-0004", ".title");
  await page.locator(".title").getByRole("link", { name: "CNC controller Fanuc" }).click();
  await page.locator(".sheet").getByText("50–150 MB of payload, both directions").waitFor();
  await page.locator(".sheet").getByText("06:00–22:00 every day (Europe/Berlin)").waitFor();
  await page.locator("tr", { hasText: "safety-plc.mfg.local" }).getByText("safety flow").waitFor();

  // All of it as a file, by keyboard.
  await page.locator(".source summary").focus();
  await page.keyboard.press("Enter");
  const { yaml } = await look.ask<Profile>(`v1/profiles/${TYPE}`);
  assert.equal(await page.locator(".source pre").textContent(), yaml);
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.locator(".source [role=status]", { hasText: /Copied|selected/ }).waitFor();
  await look.mustHold("a profile with its file");
  await look.close();
});

test("a profile that is written anew is shown without a reload, in the list and by itself", async () => {
  const [one, list] = [await Look.open(browser, `${url}/#/profiles/${TYPE}`), await Look.open(browser, `${url}/#/profiles`)];
  const before = await one.ask<Profile>(`v1/profiles/${TYPE}`);
  await one.page.locator(".sheet").getByText("50–150 MB of payload").waitFor();
  await list.page.locator(`[data-profile=${TYPE}]`).getByText(before.hash.slice(0, 12)).waitFor();
  for (const look of [one, list]) await look.page.evaluate(() => Object.assign(window, { marker: true }));

  const text = readFileSync(file, "utf8");
  assert.ok(text.includes("volume_per_hour: 50-150 MB"), text);
  writeFileSync(file, text.replace("volume_per_hour: 50-150 MB", "volume_per_hour: 60-90 MB"));
  process.kill(Number(told("PAGE_PID")), "SIGHUP");

  await one.page.locator(".sheet").getByText("60–90 MB of payload").waitFor();
  await one.page.locator(".sheet").getByText("More than 270 MB (3 times the upper end), at once.").waitFor();
  const changed = await one.ask<Profile>(`v1/profiles/${TYPE}`);
  assert.notEqual(changed.hash, before.hash);
  await list.page.locator(`[data-profile=${TYPE}]`).getByText(changed.hash.slice(0, 12)).waitFor();
  for (const look of [one, list]) {
    assert.equal(await look.page.evaluate(() => "marker" in window), true, "the page was loaded again");
  }

  // A verdict of before says against what it was measured.
  await one.go(`#/profiles/${TYPE}?against=${before.hash}`, ".notice");
  await one.page.getByText("The verdict was measured against another version").waitFor();
  await one.mustHold("a profile that is not that of a verdict");
  for (const look of [one, list]) await look.close();
});

test("a profile that cannot be read says why, and is read again when the server is back", async () => {
  const look = await Look.open(browser, `${url}/#/profiles`);
  const { page } = look;
  await page.locator("table.profiles").first().waitFor();
  await page.route("**/v1/profiles/**", (route) =>
    route.fulfill({ status: 503, contentType: "application/problem+json", body: '{"detail":"nothing is left to read it with"}' }),
  );
  await page.evaluate((to) => (location.hash = to), `#/profiles/${TYPE}`);
  await page.getByRole("alert").getByText("nothing is left to read it with").waitFor();
  assert.equal(await page.locator(".skeleton").count(), 0);
  // That the request failed is what the console complains about.
  look.complaints.length = 0;
  await look.mustHold("a profile that cannot be read");
  await page.unroute("**/v1/profiles/**");
  await look.go("#/profiles", "table.profiles");
  await look.go(`#/profiles/${TYPE}`, ".sheet");
  await look.close();
});
