import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { launch, Look, told } from "../look";

const url = told("PAGE_URL");
let browser: Browser;

before(async () => {
  browser = await launch();
});
after(() => browser.close());

/** What has the focus, as a screen reader names it. */
function focused(page: Page): Promise<string> {
  return page.evaluate(() => {
    const element = document.activeElement;
    return element?.getAttribute("aria-label") ?? element?.textContent ?? "";
  });
}

async function until(page: Page, holds: () => Promise<boolean>, what: string): Promise<void> {
  for (let tries = 0; tries < 600; tries += 1) {
    if (await holds()) return;
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
  assert.fail(`${what}; the focus is on "${await focused(page)}" at ${page.url()}`);
}

test("everything is reached by keyboard alone", async () => {
  const look = await Look.open(browser, url);
  const { page } = look;
  const { keyboard } = page;
  await page.locator(".incident").first().waitFor();

  // The first stop leads past the header; the next ones have a visible focus each.
  await keyboard.press("Tab");
  assert.match(await focused(page), /Skip to the content/);
  await keyboard.press("Enter");
  assert.equal(await page.evaluate(() => document.activeElement?.id), "main");
  for (let stop = 0; stop < 12; stop += 1) {
    await keyboard.press("Tab");
    const outline = await page.evaluate(() => {
      const element = document.activeElement;
      return element === null || element === document.body ? null : getComputedStyle(element).outlineStyle;
    });
    assert.ok(outline === null || outline !== "none", `no visible focus on "${await focused(page)}"`);
  }

  // What is open: to the next, into it, back.
  await keyboard.press("j");
  await until(page, async () => (await focused(page)).includes("CRITICAL"), "j leads to what is open");
  await keyboard.press("Enter");
  await page.locator(".finding").first().waitFor();
  assert.match(page.url(), /#\/verdicts\//);
  await keyboard.press("Escape");
  await page.locator(".incident").first().waitFor();

  // From lamp to lamp, and into one.
  await page.locator('.light[tabindex="0"]').nth(4).focus();
  const first = await focused(page);
  await keyboard.press("ArrowRight");
  await until(page, async () => (await focused(page)) !== first, "the arrow leads to the next lamp");
  const second = await focused(page);
  assert.match(second, /^[a-z0-9-]+, .+, (normal|unknown|LOW|MEDIUM|HIGH|CRITICAL)/);
  await keyboard.press("Enter");
  await page.locator(".title h1").waitFor();
  assert.equal(await page.locator(".title h1").textContent(), second.split(",")[0]);

  // A search, from anywhere.
  await keyboard.press("/");
  await until(page, async () => page.evaluate(() => document.activeElement?.hasAttribute("data-search") ?? false), "/ leads to the search");
  await keyboard.type("temp-sensor-042");
  await keyboard.press("Enter");
  await until(page, async () => (await page.locator("table.devices tbody tr").count()) === 1, "one device is found");
  await page.evaluate(() => (document.activeElement as HTMLElement).blur());
  await keyboard.press("j");
  await until(page, async () => (await focused(page)) === "temp-sensor-042", "j leads to the device");
  await keyboard.press("Enter");
  await page.locator(".title h1").waitFor();

  // The other views, and the sheet of keys.
  for (const [key, heading] of [["a", "Approvals"], ["p", "Profiles"], ["h", "Health"]] as const) {
    await keyboard.press(key);
    await page.locator("h1", { hasText: heading }).waitFor();
  }
  await keyboard.press("?");
  await page.locator("dialog[open]").waitFor();
  await look.mustHold("the sheet of keys");
  await keyboard.press("Escape");
  await page.locator("dialog[open]").waitFor({ state: "detached" });
  await keyboard.press("b");
  await page.locator(".lights").first().waitFor();
  await look.mustHold("the board after the walk");
  await look.close();
});
