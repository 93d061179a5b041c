// Looking at pictures with the real engine on the CPU: what is found, and what modules make of them.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { TARGET } from "./engine.mjs";
import { DIST, openPage, violations } from "./lab.mjs";
import { LAB_POLICY, serve } from "./serve.mjs";

const PICTURE = join(TARGET, "images/val/target_00000.jpg");
const OTHER = join(TARGET, "images/val/target_00001.jpg");
/** Where pictures of the views go to be looked at; nowhere unless it is said. */
const SHOTS = process.env.FROSTLINE_SHOTS;

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

const open = (view, query = "", options = {}) => openPage(browser, `${server.origin}/lab/?view=${view}&device=cpu${query}`, options);
const choose = (page, file = PICTURE) => page.locator(".source input[type=file]").setInputFiles(file);
const answered = (page) => page.locator("#before .count-of", { hasText: /\d/ }).waitFor({ timeout: 120_000 });
/** The number of boxes, once it is as wanted. */
async function boxes(page, wanted) {
  for (const begun = Date.now(); ; await page.waitForTimeout(50)) {
    const count = await page.locator("#before .found").count();
    if (wanted(count)) return count;
    assert.ok(Date.now() - begun < 60_000, `${count} boxes: ${wanted}`);
  }
}
const slide = (page, id, value) => page.locator(`#${id}`).fill(String(value));

test("the shipped weights find objects; sliders and keys change which are shown", async () => {
  const { page, context, noErrors } = await open("detect");
  await choose(page);
  await answered(page);
  const usual = await boxes(page, (count) => count > 0);
  assert.match(await page.locator("#before .count-of").textContent(), /^Boxes: \d+\. \d+ ms\.$/);
  assert.equal(await page.locator("#before tbody tr").count(), usual);
  // Each box says its class and confidence in words, and lies on the picture.
  for (const text of await page.locator("#before .found span").allTextContents()) assert.match(text, /^.+ \d+%$/);
  const picture = await page.locator("#before canvas").boundingBox();
  const first = await page.locator("#before .found").first().boundingBox();
  assert.ok(first.x >= picture.x - 3 && first.x + first.width <= picture.x + picture.width + 3);
  // Nothing is after yet, and the way there is shown.
  await page.locator("#after .nothing-yet a").waitFor();
  assert.match(await page.locator("#after .nothing-yet a").getAttribute("href"), /view=train/);

  await slide(page, "iou", 95);
  const many = await boxes(page, (count) => count > usual);
  await slide(page, "conf", 95);
  await boxes(page, (count) => count < usual);
  // By keys.
  await page.locator("#conf").focus();
  await page.keyboard.press("Home");
  assert.equal(await page.locator("#conf").inputValue(), "1");
  await boxes(page, (count) => count > many);
  await page.locator("#side").selectOption("160");
  await answered(page);
  noErrors();
  await context.close();
});

test("the shipped pictures are one click away", async () => {
  const { page, context, noErrors } = await open("detect");
  await page.locator(".source button").nth(2).click();
  await answered(page);
  assert.match(await page.locator(".source .hint").last().textContent(), /^target_00000\.jpg/);
  assert.equal(await page.locator(".from-set option").count(), 33);
  await page.locator(".from-set select").selectOption({ index: 2 });
  await page.locator(".source .hint", { hasText: "target_00001.jpg" }).waitFor();
  noErrors();
  await context.close();
});

test("a picture is dropped or pasted, stays for the other view, and what is none is refused", async () => {
  const { page, context, noErrors } = await open("detect");
  const bytes = (await readFile(OTHER)).toString("base64");
  const give = (kind, selector) =>
    page.evaluate(
      ([kind, selector, bytes]) => {
        const data = new DataTransfer();
        const file = new File([Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))], `${kind}.jpg`, { type: "image/jpeg" });
        data.items.add(file);
        const event =
          kind === "paste"
            ? new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true })
            : new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true });
        (selector ? document.querySelector(selector) : window).dispatchEvent(event);
      },
      [kind, selector, bytes],
    );
  await give("drop", ".source");
  await page.locator(".source .hint", { hasText: "drop.jpg" }).waitFor();
  await give("paste", null);
  await page.locator(".source .hint", { hasText: "paste.jpg" }).waitFor();
  await answered(page);
  await page.getByRole("link", { name: "X-ray", exact: true }).first().click();
  await page.locator(".source .hint", { hasText: "paste.jpg" }).waitFor();
  await answered(page);
  await page.locator(".source input[type=file]").setInputFiles({ name: "no.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no picture") });
  await page.locator(".source .error", { hasText: "no.jpg" }).waitFor();
  noErrors();
  await context.close();
});

test("the webcam is asked for by its button, and let go when the view is left", async () => {
  const camera = await launch(["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]);
  const { page, context, noErrors } = await openPage(camera, `${server.origin}/lab/?view=detect&device=cpu`);
  await page.evaluate(() => {
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    window.streams = [];
    navigator.mediaDevices.getUserMedia = async (wanted) => {
      const stream = await ask(wanted);
      window.streams.push(stream);
      return stream;
    };
  });
  await page.locator('.engine[data-phase="ready"]').waitFor({ timeout: 60_000 });
  assert.equal(await page.evaluate(() => window.streams.length), 0);
  await page.locator("#side").selectOption("160");
  await page.getByRole("button", { name: "Webcam" }).click();
  await answered(page);
  // Frame follows frame.
  const text = () => page.locator("#before .count-of").textContent();
  const first = await text();
  await page.waitForFunction((first) => document.querySelector("#before .count-of").textContent !== first, first, { timeout: 30_000 });
  const live = () => page.evaluate(() => window.streams[0].getTracks().map((track) => track.readyState));
  assert.deepEqual(await live(), ["live"]);
  await page.getByRole("link", { name: "Train", exact: true }).first().click();
  await page.waitForFunction(() => window.streams[0].getTracks().every((track) => track.readyState === "ended"));
  noErrors();
  await context.close();
  await camera.close();
});

test("a webcam that is refused is said, in both languages", async () => {
  for (const [language, words] of [["en", /^The webcam: .*Allow it in the browser/], ["ko", /^웹캠: .*브라우저에서 허용하거나/]]) {
    const { page, context } = await open("detect", `&lang=${language}`, { permissions: [] });
    await page.locator(".source button").nth(1).click();
    const said = page.locator(".source .error", { hasText: /./ });
    await said.waitFor();
    assert.match(await said.textContent(), words);
    assert.equal(await page.locator(".source button").nth(1).getAttribute("aria-pressed"), "false");
    await context.close();
  }
});

test("X-ray shows the channels of modules 0, 9 and 23, without the padding", async () => {
  const { page, context, noErrors } = await open("xray");
  await choose(page);
  for (const [module, planes] of [[0, 16], [9, 256], [23, 256]]) {
    await page.locator(`#xray-module-${module}`).click();
    await page.locator("#before .count-of", { hasText: `Module ${module},` }).waitFor({ timeout: 120_000 });
    assert.match(await page.locator("#before .count-of").textContent(), new RegExp(`${planes} channels`));
    const shown = page.locator("#before .planes-of canvas");
    await page.waitForFunction((count) => document.querySelectorAll("#before .planes-of canvas").length === count, Math.min(planes, 32));
    const colours = await shown.first().evaluate((canvas) => {
      const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    });
    assert.ok(colours > 1, `module ${module} shows one colour`);
    const [whole, part] = await page.evaluate(() => {
      const shape = (canvas) => canvas.width / canvas.height;
      return [shape(document.querySelector("#before .stage-of canvas")), shape(document.querySelector("#before .planes-of canvas"))];
    });
    assert.ok(Math.abs(Math.log(whole / part)) < 0.2, `${whole} against ${part}`);
  }
  await page.locator("#before .all-of").click();
  await page.waitForFunction(() => document.querySelectorAll("#before .planes-of canvas").length === 256);
  // By keys: modules and channels.
  await page.locator("#before-plane-0").focus();
  await page.keyboard.press("ArrowRight");
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.evaluate(() => document.activeElement.id), "before-plane-2");
  assert.equal(await page.locator("#before .stage-of + .note").textContent(), "Channel 2 over the picture");
  await page.locator("#xray-module-23").focus();
  await page.keyboard.press("Home");
  await page.locator("#before .count-of", { hasText: "Module 0," }).waitFor({ timeout: 60_000 });
  noErrors();
  await context.close();
});

test("the engine is asked one question at a time, and the last one is answered", async () => {
  const { page, context, noErrors } = await open("xray");
  await choose(page);
  await answered(page);
  await page.locator("#xray-module-2").focus();
  for (let presses = 0; presses < 21; presses++) await page.keyboard.press("ArrowRight");
  await page.locator("#before .count-of", { hasText: "Module 23," }).waitFor({ timeout: 60_000 });
  noErrors();
  await context.close();
});

for (const [width, theme, language] of [[1440, "light", "en"], [1440, "dark", "ko"], [360, "light", "ko"], [360, "dark", "en"]]) {
  test(`axe finds nothing in both views at ${width} px, ${theme}, ${language}`, async () => {
    for (const view of ["detect", "xray"]) {
      const { page, context } = await openPage(browser, `${server.origin}/lab/?view=${view}&device=cpu&lang=${language}&theme=${theme}`, {
        viewport: { width, height: 900 },
        reducedMotion: "reduce",
        bypassCSP: true,
      });
      await choose(page);
      await answered(page);
      await page.locator("#after .nothing-yet").waitFor();
      assert.deepEqual(await violations(page), []);
      const scrolls = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
      assert.ok(!scrolls, `${view} is wider than ${width} px`);
      if (SHOTS) await page.screenshot({ path: join(SHOTS, `${view}-${width}-${theme}-${language}.png`), fullPage: true });
      await context.close();
    }
  });
}
