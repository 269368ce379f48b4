import { after, before, test } from "node:test";
import assert from "node:assert/strict";
import type { Browser } from "playwright-core";
import { launch, Look, told } from "../look";
import { Relay } from "../relay";

let browser: Browser;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

test("who loses the server sees a grey board and why, and the colours when it is back", async () => {
  const relay = new Relay(told("PAGE_URL"));
  const look = await Look.open(browser, await relay.open());
  const { page } = look;
  await page.locator(".incident").first().waitFor();
  assert.equal(await page.locator("main.stale").count(), 0);
  relay.lose();
  await page.locator(".lost").waitFor();
  assert.match((await page.locator(".lost").textContent()) ?? "", /What is shown is how it was at/);
  await page.locator("main.stale").waitFor();
  await look.shot("lost-1440-light", false);
  // That requests fail is what the console complains about.
  look.complaints.length = 0;
  await look.mustHold("the board without a server");
  await relay.open();
  await page.locator(".lost").waitFor({ state: "detached" });
  await page.locator("main:not(.stale)").waitFor();
  relay.lose();
  await look.close();
});
