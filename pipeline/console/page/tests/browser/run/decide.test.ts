import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import type { Browser, Page } from "playwright-core";
import type { Device, Order, OrderHistory } from "../../../src/wire";
import { launch, Look, told } from "../look";

const url = told("PAGE_URL");
const hostile = told("PAGE_HOSTILE");
let browser: Browser;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** A flow that a sensor saw, sent by a client that is not ours. */
async function flow(from: string, time: string): Promise<void> {
  const seen = {
    kind: "flow",
    time,
    orig: `${from}:40000`,
    resp: `${hostile}:4444`,
    transport: "udp",
    state: "answered",
    orig_bytes: 120,
    resp_bytes: 40,
  };
  const who = ["-u", "zeek-01", "-P", "zeek-01"];
  const to = ["-h", "127.0.0.1", "-p", told("PAGE_MQTT"), "-q", "1"];
  const what = ["-t", "andon/v1/in/precision-parts/zeek-01/flow", "-m", JSON.stringify(seen)];
  await promisify(execFile)(told("PAGE_PUBLISHER"), [...who, ...to, ...what]);
}

function lamp(device: string): string {
  return `.light[aria-label^="${device},"]`;
}

/** When, by the clock of the machine, the lamp of a device turns CRITICAL. */
async function turns(page: Page, device: string): Promise<() => Promise<number>> {
  await page.evaluate((selector) => {
    const seen = window as unknown as { turned?: number };
    const watch = new MutationObserver(() => {
      if (document.querySelector(`${selector}[data-lamp="critical"]`) === null) return;
      watch.disconnect();
      requestAnimationFrame(() => (seen.turned = Date.now()));
    });
    watch.observe(document.body, { subtree: true, attributes: true, childList: true });
  }, lamp(device));
  return async () => {
    await page.waitForFunction(() => "turned" in window);
    return page.evaluate(() => (window as unknown as { turned: number }).turned);
  };
}

test("an observation turns its lamp without a reload, and its order names the lamp anew", async () => {
  const look = await Look.open(browser, `${url}/#token=${told("PAGE_TOKEN")}`);
  const { page } = look;
  const device = "cnc-controller-01-0001";
  await page.locator(lamp(device)).waitFor();
  assert.ok(!page.url().includes("token"), "the token stands in the address");
  await page.evaluate(() => Object.assign(window, { marker: true }));
  const turned = await turns(page, device);
  const sent = Date.now();
  await flow("10.1.10.1", "2025-12-12T09:00:00Z");
  console.log(`measured: ${(await turned()) - sent} ms from before an observation is published until its lamp is red`);
  await page.locator(`.incident`, { hasText: device }).waitFor();
  // What is done about it comes after the verdict, and the lamp says so.
  await page.locator(`${lamp(device)}[aria-label$="quarantine ordered, not yet confirmed"]`).waitFor();
  assert.equal(await page.evaluate(() => "marker" in window), true, "the page was loaded again");
  await look.mustHold("the board of a run");
  await look.close();
});

test("the list of devices and the page of one follow what happens", async () => {
  const device = "cnc-controller-01-0005";
  const list = await Look.open(browser, `${url}/#/devices?lamp=critical`);
  const one = await Look.open(browser, `${url}/#/devices/${device}`);
  await list.page.locator(".filters").waitFor();
  await one.page.getByText("Nothing is open for this device.").waitFor();
  await flow("10.1.10.5", "2025-12-12T09:00:05Z");
  await one.page.locator(".finding").first().waitFor();
  await one.page.locator(".orders").getByText("quarantine ordered, not yet confirmed").waitFor();
  await list.page.locator("table.devices a", { hasText: device }).waitFor();
  await list.mustHold("a list that follows");
  await one.mustHold("a device that follows");
  await list.close();
  await one.close();
});

test("an approval is clicked through to an issued command", async () => {
  const look = await Look.open(browser, `${url}/#token=${told("PAGE_TOKEN")}`);
  const { page } = look;
  const gateway = "gw-cnc-safety";
  await page.locator(lamp(gateway)).waitFor();
  await flow("10.1.10.240", "2025-12-12T09:00:10Z");
  await page.locator(".views .badge", { hasText: "1" }).waitFor();
  await page.getByRole("link", { name: /Approvals/ }).click();

  const card = page.locator(".approval", { hasText: gateway });
  await card.getByText("What will be cut").waitFor();
  const id = (await card.getAttribute("data-command")) ?? "";
  assert.equal((await look.ask<Order>(`v1/commands/${id}`)).state, "proposed");
  await look.shot("approval-1440-light", false);
  await look.mustHold("what waits for a person");

  // By keyboard: a key leads to the second step, and Escape takes the first one back.
  await page.evaluate(() => (document.activeElement as HTMLElement | null)?.blur());
  await page.keyboard.press("a");
  const reason = card.getByLabel("Reason");
  await reason.waitFor();
  assert.ok(await reason.evaluate((field) => field === document.activeElement), "the reason has the focus");
  await page.keyboard.press("Escape");
  await card.locator(".confirm").waitFor({ state: "detached" });
  assert.match(page.url(), /#\/approvals$/);

  // Twice: first what it would mean, then that it is meant.
  await card.getByRole("button", { name: "Approve…" }).click();
  const confirm = card.locator("form.confirm");
  await confirm.getByText(`${gateway} will lose every connection but its safety flows`).waitFor();
  const yes = confirm.getByRole("button", { name: `Yes, quarantine ${gateway}` });
  assert.ok(await yes.isDisabled(), "without a reason nothing is done");
  assert.equal((await look.ask<Order>(`v1/commands/${id}`)).state, "proposed");
  await confirm.getByLabel("Reason").fill("seen on site");
  await look.shot("confirm-1440-light", false);
  await look.mustHold("the second step");
  await yes.click();
  await page.getByText(`Approved: quarantine of ${gateway}.`).waitFor();
  await page.getByText("Nothing waits for a person.").waitFor();

  const issued = await look.ask<OrderHistory>(`v1/commands/${id}`);
  assert.equal(issued.state, "issued");
  assert.equal(issued.by, "operator");
  assert.ok(issued.history.some(({ state, by, reason }) => state === "approved" && by === "operator" && reason === "seen on site"));
  await page.getByRole("link", { name: "Board" }).click();
  const row = page.locator(".incident", { hasText: gateway });
  await row.getByText("quarantine ordered, not yet confirmed").waitFor();
  await row.click();
  await page.locator(".orders").getByText("quarantine ordered, not yet confirmed").waitFor();
  await page.locator(".life").getByText("seen on site").waitFor();
  await look.shot("decided-1440-light");
  await look.mustHold("the verdict after the decision");

  // And lifted again, from where it is read.
  const acts = page.locator(".acts");
  await acts.getByRole("button", { name: "Release…" }).click();
  await acts.getByLabel("Reason").fill("a false alarm");
  await acts.getByRole("button", { name: `Yes, release ${gateway}` }).click();
  await page.locator(".orders").getByText("quarantine released").waitFor();
  assert.equal((await look.ask<OrderHistory>(`v1/commands/${id}`)).state, "released");
  await look.close();
});

test("a device is quarantined and released by hand, and held back for hours", async () => {
  const look = await Look.open(browser, `${url}/#token=${told("PAGE_TOKEN")}`, 390, "dark");
  const { page } = look;
  const device = "cnc-controller-01-0002";
  await look.go(`#/devices/${device}`, ".acts");
  const acts = page.locator(".acts");

  await acts.getByRole("button", { name: "Quarantine…" }).click();
  const yes = acts.getByRole("button", { name: `Yes, quarantine ${device}` });
  assert.ok(await yes.isDisabled());
  await acts.getByText(`${device} will lose every connection but its safety flows`).waitFor();
  await acts.getByLabel("Hours").fill("2");
  await acts.getByLabel("Reason").fill("a laptop was seen on it");
  await look.shot("act-390-dark");
  await look.mustHold("an act, second step");
  await yes.click();
  await page.locator(".orders").getByText("quarantine ordered, not yet confirmed").waitFor();
  const { commands } = await look.ask<{ commands: Order[] }>(`v1/commands?state=all&device=${device}`);
  assert.equal(commands[0]?.state, "issued");

  // The same by keyboard alone.
  const { keyboard } = page;
  await acts.getByRole("button", { name: "Release…" }).focus();
  await keyboard.press("Enter");
  await acts.getByText(`Everything that was cut for ${device} is open again`).waitFor();
  await page.locator("textarea:focus").waitFor();
  await keyboard.type("it is gone");
  await keyboard.press("Tab");
  await keyboard.press("Enter");
  await page.locator(".orders").getByText("quarantine released").waitFor();

  await acts.getByRole("button", { name: "Hold back…" }).click();
  await acts.getByLabel("Hours").fill("3");
  await acts.getByLabel("Reason").fill("it is being repaired");
  await acts.getByRole("button", { name: `Yes, hold back commands about ${device}` }).click();
  const held = page.locator(".held");
  await held.getByText("Commands about it are held back until").waitFor();
  const until = (await look.ask<Device>(`v1/devices/${device}`)).suppressed_until;
  assert.equal(await held.locator("time").getAttribute("datetime"), until);
  await look.shot("held-390-dark");
  await look.mustHold("a device after acts");
  const list = await Look.open(browser, `${url}/#/devices?q=${device}`);
  await list.page.locator("table.devices").getByText("commands held back until").waitFor();

  // The plant's clock passes it.
  await flow("10.1.10.6", new Date(Date.parse(until ?? "") + 60_000).toISOString());
  await held.waitFor({ state: "detached" });
  await list.page.locator("table.devices .held").waitFor({ state: "detached" });
  assert.equal((await look.ask<Device>(`v1/devices/${device}`)).suppressed_until, null);
  await list.close();
  await look.close();
});

test("without a token nothing can be decided, and the page says what is missing", async () => {
  const look = await Look.open(browser, url);
  await look.go("#/devices/cnc-controller-01-0003", ".acts");
  await look.page.locator(".acts").getByRole("button", { name: "Quarantine…" }).click();
  await look.page.locator(".acts").getByLabel("Reason").fill("no token");
  assert.ok(await look.page.getByRole("button", { name: /^Yes, quarantine/ }).isDisabled());
  await look.page.locator(".acts").getByLabel("Token").waitFor();
  await look.mustHold("an act without a token");
  await look.close();
});
