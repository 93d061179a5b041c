// Pictures and boxes through real files, clicks and keys.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { TARGET, folder, native } from "./engine.mjs";
import { DIST, openPage, violations } from "./lab.mjs";
import { LAB_POLICY, serve } from "./serve.mjs";

/** Longest gap of the page's thread, in milliseconds. */
const GAP_MS = 100;

let browser;
let server;

before(async () => {
  server = await serve({ folder: DIST, policy: LAB_POLICY });
  browser = await launch(["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]);
});
after(async () => {
  await browser?.close();
  server?.close();
});

const open = (query = "", options = {}) => openPage(browser, `${server.origin}/?view=data&device=cpu${query}`, options);
const told = (page, text) => page.locator(".told", { hasText: text }).waitFor({ timeout: 60_000 });
const boxes = (page) => page.locator("#stage [data-box]");
const labels = (page) => boxes(page).evaluateAll((all) => all.map((box) => box.ariaLabel));
const summary = (page) => page.locator("#data-summary").textContent();

/** A picture of the target world as a file to choose. */
async function picture(name, as = name) {
  return { name: as, mimeType: "image/jpeg", buffer: await readFile(join(TARGET, "images/train", name)) };
}

/** Names of pictures of the target world. */
const NAMES = ["target_00000.jpg", "target_00001.jpg", "target_00002.jpg"];

async function addClass(page, name) {
  await page.locator("#new-class").fill(name);
  await page.locator("#new-class").press("Enter");
}

test("the shipped pictures come with their boxes, go out as a zip, and natively train", async (context) => {
  const { page, context: tab, noErrors } = await open();
  await page.getByRole("button", { name: "Shipped pictures" }).click();
  await told(page, "96 pictures came in.");
  assert.match(await summary(page), /^64 pictures to learn from, 32 to check with/);
  assert.deepEqual(await page.locator(".class-name").evaluateAll((all) => all.map((input) => input.value)), ["owl", "whale", "tractor", "carrot"]);
  assert.ok((await boxes(page).count()) > 0);
  const [download] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Save as YOLO zip" }).click()]);
  const place = await folder(context);
  const zip = join(place, "pictures.zip");
  await download.saveAs(zip);
  // In again: the same pictures under other names.
  await page.locator("#files").setInputFiles(zip);
  await told(page, "96 pictures came in.");
  assert.match(await summary(page), /^128 pictures to learn from, 64 to check with/);
  noErrors();
  await tab.close();
  const { execFileSync } = await import("node:child_process");
  execFileSync("python3", ["-m", "zipfile", "-e", zip, join(place, "set")]);
  const checked = native("data", "check", join(place, "set/data.yaml"));
  assert.match(checked, /64/);
});

test("boxes are drawn by dragging, by two clicks and by keys; undone; and there after a reload", async () => {
  const { page, context, noErrors } = await open();
  await page.locator("#files").setInputFiles([await picture(NAMES[0]), await picture(NAMES[1])]);
  await told(page, "2 pictures came in.");
  await addClass(page, "cat");
  await addClass(page, "dog");
  await page.locator("#stage").evaluate((stage) => stage.scrollIntoView({ block: "center" }));
  const stage = await page.locator("#stage").boundingBox();
  const at = (x, y) => [stage.x + stage.width * x, stage.y + stage.height * y];
  await page.mouse.move(...at(0.1, 0.1));
  await page.mouse.down();
  await page.mouse.move(...at(0.3, 0.4), { steps: 4 });
  await page.mouse.up();
  assert.equal(await boxes(page).count(), 1);
  assert.match((await labels(page))[0], /^dog, /);
  await page.mouse.click(...at(0.5, 0.5));
  await page.mouse.move(...at(0.7, 0.7), { steps: 3 });
  await page.mouse.click(...at(0.8, 0.8));
  assert.equal(await boxes(page).count(), 2);
  // By keys alone: a box, its class, its place, its size.
  await page.locator("#stage").focus();
  await page.keyboard.press("n");
  await page.waitForFunction(() => document.activeElement?.dataset.box === "2");
  await page.keyboard.press("1");
  assert.match((await labels(page))[2], /^cat, /);
  const before = (await labels(page))[2];
  await page.keyboard.press("ArrowLeft");
  await page.keyboard.press("Shift+ArrowDown");
  assert.notEqual((await labels(page))[2], before);
  await page.keyboard.press("Control+z");
  await page.keyboard.press("Control+z");
  await page.waitForFunction((label) => document.querySelector('#stage [data-box="2"]').ariaLabel === label, before);
  await page.keyboard.press("Control+y");
  await page.locator('#stage [data-box="0"]').focus();
  await page.keyboard.press("Delete");
  assert.equal(await boxes(page).count(), 2);
  const kept = await labels(page);
  await page.keyboard.press("PageDown");
  await page.locator("#annotator-title", { hasText: NAMES[1] }).waitFor();
  assert.equal(await boxes(page).count(), 0);
  await page.waitForTimeout(300);
  await page.reload();
  await page.locator("#annotator-title", { hasText: NAMES[0] }).waitFor();
  assert.deepEqual(await labels(page), kept);
  assert.deepEqual(await page.locator(".class-name").evaluateAll((all) => all.map((input) => input.value)), ["cat", "dog"]);
  // Everything can be deleted, and that undone.
  await page.getByRole("button", { name: "Delete all" }).click();
  await page.locator(".empty").waitFor();
  noErrors();
  await context.close();
});

test("bad files are named, the rest comes in", async () => {
  const { page, context } = await open("&lang=ko");
  await page.locator("#files").setInputFiles([
    await picture(NAMES[0]),
    { name: "broken.jpg", mimeType: "image/jpeg", buffer: Buffer.from("no picture at all") },
    { name: "torn.zip", mimeType: "application/zip", buffer: Buffer.from("PK\u0003\u0004 torn") },
  ]);
  await told(page, "사진 1장이 들어왔고");
  const problems = await page.locator(".problems li").allTextContents();
  assert.equal(problems.length, 2);
  assert.ok(problems.some((line) => line.startsWith("broken.jpg")) && problems.some((line) => line.startsWith("torn.zip")), problems.join("\n"));
  await context.close();
});

test("the webcam is asked for only when it is wanted, and gives pictures", async () => {
  const { page, context, noErrors } = await open();
  await page.getByRole("button", { name: "Webcam" }).click();
  await page.waitForFunction(() => document.querySelector("video").videoWidth > 0);
  await page.getByRole("button", { name: "Take one" }).click();
  await told(page, "1 pictures came in.");
  await page.getByRole("link", { name: "Freeze", exact: true }).first().click();
  noErrors();
  await context.close();
});

test("a thousand pictures scroll smoothly: only those in sight are in the document", async () => {
  const { page, context, noErrors } = await open();
  const files = await page.evaluate(async () => {
    const canvas = Object.assign(document.createElement("canvas"), { width: 320, height: 240 });
    const drawing = canvas.getContext("2d");
    const list = new DataTransfer();
    for (let index = 0; index < 1000; index++) {
      drawing.fillStyle = `hsl(${index % 360} 60% 50%)`;
      drawing.fillRect(0, 0, 320, 240);
      const blob = await new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.8));
      list.items.add(new File([blob], `${String(index).padStart(4, "0")}.jpg`, { type: "image/jpeg" }));
    }
    const input = document.getElementById("files");
    const { length } = list.files;
    input.files = list.files;
    input.dispatchEvent(new Event("change", { bubbles: true }));
    return length;
  });
  assert.equal(files, 1000);
  await told(page, "1000 pictures came in.");
  const cells = await page.locator(".cell").count();
  assert.ok(cells > 0 && cells < 120, `${cells} cells`);
  const gap = await page.evaluate(async () => {
    const grid = document.querySelector(".grid");
    let longest = 0;
    let last = performance.now();
    const end = last + 3000;
    while (last < end) {
      grid.scrollTop += 60;
      await new Promise(requestAnimationFrame);
      const now = performance.now();
      longest = Math.max(longest, now - last);
      last = now;
    }
    return longest;
  });
  console.log(`longest gap while scrolling 1,000 pictures: ${gap.toFixed(0)} ms`);
  assert.ok(gap < GAP_MS, `${gap} ms`);
  await page.locator(".cell img").first().waitFor();
  noErrors();
  await context.close();
});

for (const [width, theme, language] of [[1440, "light", "en"], [360, "dark", "ko"]]) {
  test(`axe finds nothing at ${width} px, ${theme}, ${language}, without pictures and with`, async () => {
    const { page, context } = await open(`&lang=${language}&theme=${theme}`, { viewport: { width, height: 900 }, reducedMotion: "reduce" });
    await page.locator(".empty").waitFor();
    assert.deepEqual(await violations(page), []);
    await page.locator(".sources button").first().click();
    await page.locator("#stage [data-box]").first().waitFor({ timeout: 60_000 });
    await page.locator('#stage [data-box="0"]').focus();
    assert.deepEqual(await violations(page), []);
    await context.close();
  });
}
