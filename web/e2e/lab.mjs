// A page of the lab with what every test needs of it.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

const axe = await readFile(new URL(import.meta.resolve("axe-core/axe.min.js")), "utf8");
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

/** The folder that the build made. */
export const DIST = process.env.FROSTLINE_DIST ?? fileURLToPath(new URL("../dist", import.meta.url));

/** The tab's icon, which the browser fetches when it likes, and gives up on when the page goes. */
export const isIcon = (request) => request.url().endsWith("/icon.svg");

/** A page that fails its test when anything is written to the console as an error, or is not found. */
export async function openPage(browser, address, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1440, height: 1000 }, locale: "en-GB", serviceWorkers: "block", ...options });
  const page = await context.newPage();
  const errors = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("requestfailed", (request) => isIcon(request) || errors.push(`${request.url()} ${request.failure()?.errorText}`));
  await page.goto(address);
  await page.locator("#view").waitFor();
  return { page, context, noErrors: () => assert.deepEqual(errors, []) };
}

export const line = (page) => page.locator("#frost-line");
export const freezeField = (page) => page.locator("#freeze");
export const summary = (page) => page.locator("#summary");
export const command = (page) => page.locator(".command code");

/** Waits until the line stands at a number of leading modules. */
export async function lineAt(page, leading) {
  await page.locator(`#frost-line[aria-valuenow="${leading}"]`).waitFor({ state: "attached", timeout: 5000 });
}

/** The states of all modules: true, false or mixed. */
export async function states(page) {
  return page.locator(".block").evaluateAll((blocks) => blocks.map((block) => block.getAttribute("aria-pressed")));
}

/** What axe finds against WCAG 2.2 AA on the page as it stands. */
export async function violations(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate((tags) => window.axe.run(document, { runOnly: tags }), TAGS);
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target, failureSummary }) => `${id}: ${target} ${failureSummary}`));
}
