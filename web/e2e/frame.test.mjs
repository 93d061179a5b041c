// The way from view to view, the engine's state, and visits without a network.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { DIST, lineAt, openPage } from "./lab.mjs";
import { LAB_POLICY, serve } from "./serve.mjs";

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

const current = (page) => page.locator('.views a[aria-current="page"]');
const engine = (page, phase) => page.locator(`.engine[data-phase="${phase}"]`).waitFor({ timeout: 60_000 });

test("views are reached by links and keys, named by the address, and left by going back", async () => {
  const { page, context, noErrors } = await openPage(browser, `${server.origin}/lab/?device=cpu`);
  assert.equal(await current(page).textContent(), "Freeze");
  for (const [name, view] of [["Pictures", "data"], ["Train", "train"], ["Detect", "detect"], ["Race", "race"], ["X-ray", "xray"]]) {
    await page.getByRole("link", { name, exact: true }).first().focus();
    await page.keyboard.press("Enter");
    await page.waitForFunction((view) => location.search.startsWith(`?view=${view}&`), view);
    assert.equal(await current(page).textContent(), name);
    assert.equal(await page.locator("h2.view-title").textContent(), name);
  }
  await page.goBack();
  await page.waitForFunction(() => location.search.startsWith("?view=race&"));
  assert.equal(await current(page).textContent(), "Race");
  await page.goto(`${server.origin}/lab/?view=train&lang=ko&device=cpu`);
  assert.equal(await current(page).textContent(), "학습");
  noErrors();
  await context.close();
});

test("the engine is loaded by the first view that needs it, and can be moved to another device", async () => {
  const { page, context, noErrors } = await openPage(browser, `${server.origin}/lab/`);
  assert.equal(page.workers().length, 0);
  await page.getByRole("link", { name: "Train", exact: true }).first().click();
  await engine(page, "ready");
  assert.equal(await page.locator(".engine [role=status]").textContent(), "The engine computes on the CPU.");
  // This browser has no GPU: it is said, and the CPU can be taken again.
  await page.getByRole("button", { name: "GPU", exact: true }).click();
  await engine(page, "failed");
  assert.match(await page.locator(".engine [role=status]").textContent(), /GPU/);
  await page.getByRole("button", { name: "CPU", exact: true }).click();
  await engine(page, "ready");
  noErrors();
  await context.close();
});

test("an engine that does not load is said, and is tried again", async () => {
  const { page, context } = await openPage(browser, `${server.origin}/lab/`);
  await page.route("**/engine_bg.wasm", (route) => route.abort());
  await page.getByRole("link", { name: "Train", exact: true }).first().click();
  await engine(page, "failed");
  assert.match(await page.locator(".engine [role=status]").textContent(), /^Engine_bg.wasm|engine_bg.wasm/);
  await page.unroute("**/engine_bg.wasm");
  await page.getByRole("button", { name: "Start it again" }).click();
  await engine(page, "ready");
  await context.close();
});

test("on the second visit the lab works without a network", async () => {
  const host = await serve({ folder: DIST, base: "/lab/", policy: LAB_POLICY });
  const { page, context } = await openPage(browser, `${host.origin}/lab/`, { serviceWorkers: "allow" });
  await page.evaluate(() => navigator.serviceWorker.ready);
  host.close();
  await page.goto(`${host.origin}/lab/?view=freeze&freeze=24`);
  await lineAt(page, 24);
  await page.goto(`${host.origin}/lab/index.html?view=train&device=cpu`);
  await engine(page, "ready");
  const kept = await page.evaluate(async () => {
    const files = ["shipped/target.zip", "shipped/yolov5n-source.safetensors", "embed.html"];
    return Promise.all(files.map(async (file) => (await fetch(file)).status));
  });
  assert.deepEqual(kept, [200, 200, 200]);
  await context.close();
});
