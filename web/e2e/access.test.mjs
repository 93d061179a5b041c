// No violations of WCAG 2.2 AA that axe can find, in both themes, both languages, wide and narrow.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { DIST, openPage, violations } from "./lab.mjs";
import { serve } from "./serve.mjs";


let browser;
let server;

before(async () => {
  server = await serve({ folder: DIST });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  server?.close();
});

for (const width of [1440, 900, 360]) {
  for (const theme of ["light", "dark"]) {
    for (const language of ["en", "ko"]) {
      test(`axe finds nothing at ${width} px, ${theme}, ${language}`, async () => {
        const query = `?lang=${language}&theme=${theme}&freeze=bakbone`;
        const { page, context } = await openPage(browser, `${server.origin}/${query}`, {
          viewport: { width, height: 900 },
          reducedMotion: "reduce",
        });
        await page.locator("#search").fill("model.2");
        assert.deepEqual(await violations(page), []);
        await page.locator("#freeze").fill("24; model.2.cv1.*,5@7");
        assert.deepEqual(await violations(page), []);
        await context.close();
      });
    }
  }
}

test("axe finds nothing in the embedded page and the example", async () => {
  for (const address of ["embed.html", "example.html"]) {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(`${server.origin}/${address}`);
    const lab = address === "embed.html" ? page : page.frameLocator("iframe");
    await lab.locator("#frost-line").waitFor();
    assert.deepEqual(await violations(page), []);
    await context.close();
  }
});

test("everything is reached by the Tab key, and the focus shows", async () => {
  const { page, context } = await openPage(browser, `${server.origin}/`);
  const seen = new Set();
  for (let presses = 0; presses < 60; presses++) {
    await page.keyboard.press("Tab");
    const found = await page.evaluate(() => {
      const element = document.activeElement;
      const ring = element.querySelector?.(".ring");
      const next = element.nextElementSibling;
      const shows = [element, ring, next].some((part) => {
        if (!part) return false;
        const style = getComputedStyle(part);
        return style.outlineStyle !== "none" || (part === ring && style.stroke !== "none");
      });
      if (element === document.body) return {};
      return { name: element.id || element.textContent || element.value || element.ariaLabel, shows };
    });
    if (!found.name) break;
    assert.ok(found.shows, `no focus to be seen on ${found.name}`);
    seen.add(found.name);
  }
  for (const name of ["freeze", "classes", "imgsz", "batch", "module-0", "frost-line", "search", "Copy", "한국어"]) {
    assert.ok(seen.has(name), `${name} is not reached: ${[...seen].join(", ")}`);
  }
  await context.close();
});
