// The whole way of a person: see, show, teach, try, take along; and nothing asked of the network once the lab is there.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { TARGET, folder, native } from "./engine.mjs";
import { DIST, isIcon, lineAt, openPage } from "./lab.mjs";
import { LAB_POLICY, serve } from "./serve.mjs";

const SLOW = { timeout: 120_000 };
/** How far mAP50 of the exported file, natively, may lie from what the page showed (it shows three digits). */
const MAP = 0.005;

let browser;
let server;

before(async () => {
  server = await serve({ folder: DIST, base: "/lab/", policy: LAB_POLICY });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  server?.close();
});

const go = (page, name) => page.getByRole("link", { name, exact: true }).first().click();

test("see, show, teach, try, take along, without a request once the lab is loaded", async (context) => {
  const { page, context: tab, noErrors } = await openPage(browser, `${server.origin}/lab/?device=cpu&freeze=10`, { acceptDownloads: true });

  // See: the line moves before there is an engine.
  await lineAt(page, 10);
  assert.equal(page.workers().length, 0);
  await page.locator("#frost-line").focus();
  await page.keyboard.press("End");
  await lineAt(page, 24);

  // Show: the shipped pictures, and one of the person's own with a box drawn on it.
  await go(page, "Pictures");
  await page.locator('.engine[data-phase="ready"]').waitFor(SLOW);
  await page.getByRole("button", { name: "Shipped pictures" }).click();
  await page.locator(".told", { hasText: "96 pictures came in." }).waitFor(SLOW);
  await page.waitForLoadState("networkidle");
  const requests = [];
  page.on("request", (request) => request.url().startsWith("blob:") || isIcon(request) || requests.push(request.url()));
  const icon = { contentType: "image/svg+xml", body: '<svg xmlns="http://www.w3.org/2000/svg"/>' };
  await page.route(/^https?:/, (route) => (isIcon(route.request()) ? route.fulfill(icon) : route.abort()));
  const own = { name: "own.jpg", mimeType: "image/jpeg", buffer: await readFile(join(TARGET, "images/train/target_00003.jpg")) };
  await page.locator("#files").setInputFiles(own);
  await page.locator("#annotator-title", { hasText: "own.jpg" }).waitFor(SLOW);
  assert.equal(await page.locator("#stage [data-box]").count(), 0);
  await page.locator("#stage").evaluate((stage) => stage.scrollIntoView({ block: "center" }));
  const stage = await page.locator("#stage").boundingBox();
  await page.mouse.move(stage.x + 40, stage.y + 40);
  await page.mouse.down();
  await page.mouse.move(stage.x + 160, stage.y + 150, { steps: 4 });
  await page.mouse.up();
  assert.equal(await page.locator("#stage [data-box]").count(), 1);
  // It was for trying: the shipped boxes are right, this one is made up.
  await page.getByRole("button", { name: "Take this picture out" }).click();

  // Teach.
  await go(page, "Train");
  await page.locator("#epochs").fill("8");
  await page.locator("#imgsz").fill("320");
  await page.locator("#train-start").click();
  await page.locator("#gained").waitFor(SLOW);
  const rows = await page.locator(".told tbody tr").evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => Number(cell.textContent))));
  assert.equal(rows.length, 8);
  const [first, last] = [rows[0], rows[7]];
  assert.ok(last[1] < first[1], `loss ${first[1]} to ${last[1]}`);
  assert.ok(last[3] > first[3], `mAP50 ${first[3]} to ${last[3]}`);
  assert.equal(await page.locator("#receipt").getAttribute("data-holds"), "true");

  // Try: before and after on a picture that nobody learnt from.
  await go(page, "Detect");
  await page.locator(".source input[type=file]").setInputFiles(join(TARGET, "images/val/target_00001.jpg"));
  await page.locator("#after .count-of", { hasText: /\d/ }).waitFor(SLOW);
  await page.waitForFunction(() => document.querySelectorAll("#after .found").length > 0, null, SLOW);
  const names = await page.locator("#after .found span").allTextContents();
  for (const name of names) assert.match(name, /^(owl|whale|tractor|carrot) \d+%$/);

  // Take along: the exported file is natively as good as the page says.
  await go(page, "Train");
  const [file] = await Promise.all([page.waitForEvent("download"), page.locator("#export").click()]);
  const place = await folder(context);
  const weights = join(place, "best.safetensors");
  await file.saveAs(weights);
  const best = Math.max(...rows.map((row) => row[3]));
  native(
    ...["val", "--weights", weights, "--data", join(TARGET, "target.yaml"), "--imgsz", 320, "--device", "cpu"],
    ...["--project", place, "--name", "v"],
  );
  const { map50: found } = JSON.parse(await readFile(join(place, "v/metrics.json"), "utf8"));
  assert.ok(Math.abs(found - best) < MAP, `native mAP50 ${found}, on the page ${best}`);
  assert.deepEqual(requests, []);
  noErrors();
  await tab.close();
});
