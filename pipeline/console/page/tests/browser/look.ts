/** A real Chromium that looks at the page of a running `andon`, and what every view must hold. */

import assert from "node:assert/strict";
import { accessSync, constants, mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { delimiter, join } from "node:path";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";

const NAMES = ["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome-stable", "google-chrome"];
/** Long enough that only a hang reaches it. */
export const PATIENCE_MS = 60_000;

export type Scheme = "light" | "dark";

/** What a test was told by whoever started it. */
export function told(name: string): string {
  const value = process.env[name];
  assert.ok(value, `${name} is not set: these tests are started by pipeline/tests/page.rs`);
  return value;
}

/** Launched once for a file of tests. */
export async function launch(): Promise<Browser> {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const executablePath = NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram);
  assert.ok(executablePath, `none of ${NAMES.join(", ")} is installed`);
  return chromium.launch({ executablePath, args: ["--no-sandbox"] });
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** One tab, and everything that it complained about. */
export class Look {
  readonly page: Page;
  readonly complaints: string[] = [];
  readonly #context: BrowserContext;
  readonly #origin: string;

  private constructor(page: Page, context: BrowserContext, origin: string) {
    this.page = page;
    this.#context = context;
    this.#origin = origin;
    page.on("console", (message) => {
      if (message.type() === "error" || message.type() === "warning") this.complaints.push(message.text());
    });
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("request", (request) => {
      const url = request.url();
      if (!url.startsWith(origin) && !url.startsWith("data:")) this.complaints.push(`asked for ${url}`);
    });
  }

  static async open(browser: Browser, url: string, width = 1440, scheme: Scheme = "light"): Promise<Look> {
    const context = await browser.newContext({
      viewport: { width, height: width < 600 ? 844 : 900 },
      colorScheme: scheme,
      reducedMotion: "reduce",
    });
    context.setDefaultTimeout(PATIENCE_MS);
    const look = new Look(await context.newPage(), context, new URL(url).origin);
    await look.page.goto(url);
    return look;
  }

  /** Another view of the same tab, once what it shows is there. */
  async go(fragment: string, ready: string): Promise<void> {
    await this.page.evaluate((to) => (location.hash = to), fragment);
    await this.page.locator(ready).first().waitFor();
    await this.page.locator(".skeleton").first().waitFor({ state: "detached" });
  }

  async close(): Promise<void> {
    await this.#context.close();
  }

  /** What the API says, asked as the page asks. */
  async ask<T>(path: string): Promise<T> {
    const answer = await fetch(`${this.#origin}/${path}`);
    assert.ok(answer.ok, `${path}: ${answer.status}`);
    return (await answer.json()) as T;
  }

  /** Fails if the view complains, sticks out sideways, or shuts people out. */
  async mustHold(name: string): Promise<void> {
    assert.deepEqual(this.complaints, [], name);
    const [inner, outer] = await this.page.evaluate(() => {
      const root = document.documentElement;
      return [root.scrollWidth, root.clientWidth] as const;
    });
    assert.ok(inner <= outer, `${name} is ${inner} px wide in a window of ${outer} px`);
    assert.deepEqual(await this.#barriers(), [], name);
  }

  /** What axe finds that is serious or worse. */
  async #barriers(): Promise<string[]> {
    // The policy of the page lets no foreign script in; what a debugger evaluates it does not forbid.
    await this.page.evaluate(AXE);
    const found = await this.page.evaluate(async () => {
      const { axe } = window as unknown as { axe: typeof import("axe-core") };
      const { violations } = await axe.run(document, { resultTypes: ["violations"] });
      return violations
        .filter(({ impact }) => impact === "serious" || impact === "critical")
        .map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 200)).join("\n  ")}`);
    });
    return found;
  }

  /** A picture for people to look at. */
  async shot(name: string, isWhole = true): Promise<void> {
    const folder = told("PAGE_SHOTS");
    mkdirSync(folder, { recursive: true });
    await this.page.screenshot({ path: join(folder, `${name}.png`), fullPage: isWhole });
  }
}

const AXE = readFileSync(createRequire(join(told("PAGE_ROOT"), "package.json")).resolve("axe-core/axe.min.js"), "utf8");
