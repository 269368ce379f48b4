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

/** Says something under every key. */
const PRESS = `profile: press
version: "2025-12"
description: Forging press with a spindle
destinations:
  - { name: a-historian-with-a-very-long-name.production.precision-parts.mfg.local, share: 90 % }
  - { network: 10.1.20.0/24, share: 10 %, safety: true, over: [udp/44818, tcp/44818] }
  - { type: tool_monitor }
clients: [{ role: mes }]
protocols: { modbus: 80 %, ethernet-ip: 20 % }
commands:
  sends: []
  accepts: [modbus/read, { commands: [modbus/write], from: [{ role: mes }] }]
volume_per_hour: { range: 0-150 MB, coverage: 90 %, bytes: ip, limit: 1 GB, baseline: 77 MB }
upload_share: 5-15 %
connections_per_hour: { range: 0-50, coverage: 99 % }
active_hours: { spans: ["Mon,Wed 22:00-06:00", Sat 00:00-24:00], grace: 15 min }
cadence: { size: 1.5-2 KB, every: 7 s, jitter: 130 ms }
current: { idle: 0.1-1.0 A, active: 2.3-8.1 A, limit: 11.7 A }
spindle: { range: 0-12000 rpm, limit: 12500 rpm }
load:
  - { speed: 0-120 rpm, current: 0-1.3 A }
  - { speed: 2500-3300 rpm, current: 13-29.5 A, mean: 18-25 A }
frozen: { idle: 90 s, turning: 2 min }
firmware: [{ version: v2, sha256: 44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a, released: 2025-09-15 }]
silence: 15 min
detectors: { off_hours: { grade: MEDIUM }, scan: off }
calibration: { discount: 12.5, device_hours: 58800, false_positives: 0.1 %, confidence: 95 % }
learned:
  upload_ratio:
    middle: 0.0834
    memory: 0.31
    levels: 0.12
    within: 0.205
    up: { windows: 4032, error: 0.00833, steps: [0.5 0.01 0.531] }
    down: { windows: 4032, error: 0.00833, steps: [0.5 -0.02 0.531] }
`;

test("a profile that says something of everything comes in while the page is open, and is legible", async () => {
  const list = await Look.open(browser, `${url}/#/profiles`);
  await list.page.locator("table.profiles").first().waitFor();
  writeFileSync(join(told("PAGE_PROFILES"), "press.yaml"), PRESS);
  process.kill(Number(told("PAGE_PID")), "SIGHUP");
  const row = list.page.locator("[data-profile=press]");
  await row.getByText("calibrated").waitFor();
  await row.getByText("no devices").waitFor();
  await list.close();
  for (const [width, scheme] of [[1440, "light"], [390, "dark"]] as const) {
    const look = await Look.open(browser, `${url}/#/profiles/press`, width, scheme);
    const { page } = look;
    for (const said of [
      "0–150 MB of IP packets, both directions",
      "More than 1 GB, at once. Lasting shifts, by evidence. 10 of 100 honest ones lie outside.",
      "Mon,Wed 22:00–06:00; Sat 00:00–24:00 (Europe/Berlin), 15 min of grace at both ends",
      "1.5–2 KB every 7 s, give or take 0.13 s",
      "13–29.5 A; 18–25 A in the mean of a quarter of an hour",
      "idle current changes within 90 s, spindle speed changes within 2 min",
      "heard of at least every 15 min",
      "the network 10.1.20.0/24",
      "switched off",
      "Not looked at: switched off for this type.",
      "Calibrated on 58,800 clean device-hours: at most 0.1 % of device-hours raise a false alarm",
      "0.0834 bytes sent for each received",
    ]) {
      await page.getByText(said).first().waitFor();
    }
    await look.shot(`press-${width}-${scheme}`);
    await look.mustHold(`a full profile at ${width} px`);
    await look.close();
  }
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
