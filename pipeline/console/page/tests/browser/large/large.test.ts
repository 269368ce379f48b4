import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { Browser, CDPSession } from "playwright-core";
import { launch, Look } from "../look";
import { LargePlant } from "./plant";

const SECONDS = Number(process.env["PAGE_SECONDS"] ?? 15);
/** More than what is kept of open verdicts may grow by; a leak of every event grows by far more. */
const GROWTH_MAX_MB = 40;

const plant = new LargePlant();
let browser: Browser;

before(async () => {
  browser = await launch();
});
after(async () => {
  plant.close();
  await browser.close();
});

async function heap(session: CDPSession): Promise<number> {
  await session.send("HeapProfiler.collectGarbage");
  const { usedSize } = await session.send("Runtime.getHeapUsage");
  return usedSize / 1e6;
}

/** What the lamps that are in the document show, in words and in shape. */
function lampsOf(): Record<string, string> {
  const lamps: Record<string, string> = {};
  for (const light of document.querySelectorAll<HTMLElement>(".light")) {
    const lamp = light.dataset["lamp"] ?? "";
    const isDrawn = light.querySelector(`.sign.${lamp}`) !== null;
    const [id = "", , said = ""] = (light.getAttribute("aria-label") ?? "").split(", ");
    lamps[id] = isDrawn && said.toLowerCase().startsWith(lamp) ? lamp : `${lamp}, but it says "${said}"`;
  }
  return lamps;
}

test("50,000 devices of which a thousand change in a second lose no change and fill no memory", async () => {
  const began = Date.now();
  const look = await Look.open(browser, await plant.open());
  const { page } = look;
  await page.locator(".strip").first().waitFor();
  console.log(`measured: ${Date.now() - began} ms until a plant of 50,000 devices is shown`);
  await look.mustHold("a large plant");

  await page.locator(".strip-link").nth(3).click();
  await page.locator(".light").first().waitFor();
  const session = await page.context().newCDPSession(page);
  const calm = plant.disturb();
  const before = await heap(session);
  const frames = await page.evaluate(async (seconds) => {
    const until = performance.now() + seconds * 1_000;
    let [count, last, longest, down] = [0, performance.now(), 0, true];
    while (performance.now() < until) {
      const at = await new Promise<number>(requestAnimationFrame);
      longest = Math.max(longest, at - last);
      last = at;
      count += 1;
      scrollBy(0, down ? 60 : -60);
      if (scrollY + innerHeight >= document.documentElement.scrollHeight) down = false;
      if (scrollY === 0) down = true;
    }
    return { perSecond: count / seconds, longest };
  }, SECONDS);
  // Lamps that stay in sight turn where they are; those that come into sight are drawn anew anyhow.
  await plant.told(plant.events + 2_000);
  calm();
  const events = plant.events;
  console.log(
    `measured: ${frames.perSecond.toFixed(1)} frames a second while scrolling 5,000 lamps with 1,000 changes a ` +
      `second (${events} events), the longest frame ${frames.longest.toFixed(0)} ms`,
  );

  // Nothing was lost: what is shown is what the server knows, to the last lamp.
  const expected = plant.counts();
  const text = (lamp: string) => page.locator(`.counts .${lamp} b`);
  for (const lamp of ["critical", "high", "medium", "low", "unknown"] as const) {
    const wanted = expected[lamp].toLocaleString("en-US");
    await text(lamp).filter({ hasText: new RegExp(`^${wanted}$`) }).waitFor();
  }
  const known = Object.fromEntries(plant.of(3).map(({ id, lamp }) => [id, lamp]));
  const inSight = await page.evaluate(lampsOf);
  assert.ok(Object.keys(inSight).length > 500);
  assert.deepEqual(inSight, Object.fromEntries(Object.keys(inSight).map((id) => [id, known[id]])));
  let all: Record<string, string> = {};
  let isEnd = false;
  for (await page.evaluate(() => scrollTo(0, 0)); !isEnd; ) {
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    all = { ...all, ...(await page.evaluate(lampsOf)) };
    isEnd = await page.evaluate(() => {
      const isLast = scrollY + innerHeight >= document.documentElement.scrollHeight - 1;
      scrollBy(0, innerHeight);
      return isLast;
    });
  }
  assert.deepEqual(all, known);
  const grown = (await heap(session)) - before;
  console.log(`measured: ${grown.toFixed(1)} MB more memory after ${events} events`);
  assert.ok(grown < GROWTH_MAX_MB, `${grown} MB`);
  await look.mustHold("a large segment");
  await look.close();
});
