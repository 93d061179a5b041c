// Training and the race with the real engine on the CPU: what goes on is told, held, kept over a reload, and taken along.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { launch } from "./browser.mjs";
import { WEIGHTS } from "./engine.mjs";
import { DIST, openPage, violations } from "./lab.mjs";
import { LAB_POLICY, serve } from "./serve.mjs";

/** Longest time in which the page's thread may answer nobody, in ms. */
const GAP = 100;
const SLOW = { timeout: 60_000 };

let browser;
let server;

before(async () => {
  server = await serve({ folder: DIST, policy: LAB_POLICY });
  browser = await launch();
});
after(async () => {
  await browser?.close();
  server?.close();
});

/** A view with the shipped pictures and small settings. */
async function open(view, query = "") {
  const opened = await openPage(browser, `${server.origin}/?view=${view}&device=cpu&imgsz=128&batch=8&lang=en${query}`, {
    acceptDownloads: true,
    reducedMotion: "reduce",
  });
  await opened.page.locator("#take-shipped").click();
  await opened.page.locator("#pictures-said", { hasText: "64 to learn from, 32 to validate on" }).waitFor(SLOW);
  return opened;
}

const bar = (page, activity) => page.locator(`.train-bar[data-activity="${activity}"]`).waitFor(SLOW);

async function rows(page, table) {
  return page.locator(`${table} tbody tr`).evaluateAll((all) => all.map((row) => [...row.cells].map((cell) => cell.textContent)));
}

/** From now on it is measured how long the page's thread answers nobody. */
const watchGaps = (page) =>
  page.evaluate(() => {
    window.gaps = [];
    let last = performance.now();
    window.watch = setInterval(() => {
      const now = performance.now();
      window.gaps.push(now - last);
      last = now;
    }, 5);
  });

/** Ends the watch: the page has answered in time, always. */
async function answers(page) {
  const longest = await page.evaluate(() => {
    clearInterval(window.watch);
    return Math.max(...window.gaps);
  });
  console.log(`longest gap of the page's thread while it trains: ${longest.toFixed(0)} ms`);
  assert.ok(longest < GAP, `the page was busy for ${longest} ms`);
}

test("a run is foretold, told, held, and taken along", async () => {
  const { page, context, noErrors } = await open("train");
  assert.equal(await page.locator("#freeze").inputValue(), "24");
  await page.locator("#epochs").fill("3");
  await page.locator("#forecast", { hasText: "24 steps" }).waitFor(SLOW);
  // Nothing was measured on this machine yet.
  assert.match(await page.locator("#forecast").textContent(), /known after the first steps/);
  await watchGaps(page);
  await page.locator("#train-start").click();
  await bar(page, "runs");
  await page.locator("#live-map50 b", { hasText: /\d/ }).waitFor(SLOW);
  await page.locator("#train-pause").click();
  await bar(page, "paused");
  assert.equal(await page.locator(".padlock").count(), 24);
  await answers(page);
  assert.deepEqual(await violations(page), []);
  const said = await page.locator("#train-status").textContent();
  assert.match(said, /^Paused after epoch \d of 3\.$/);
  // A step that was under way may still be told; after that nothing moves.
  await page.waitForTimeout(300);
  const held = await page.locator("progress").evaluate((bar) => bar.value);
  await page.waitForTimeout(500);
  assert.equal(await page.locator("progress").evaluate((bar) => bar.value), held);
  await watchGaps(page);
  await page.locator("#train-pause").click();
  await page.locator("#gained").waitFor(SLOW);
  await bar(page, "idle");
  await answers(page);

  assert.equal(await page.locator("#receipt").getAttribute("data-holds"), "true");
  const hashes = await rows(page, ".hashes");
  assert.ok(hashes.length === 2 && hashes.every(([, before, after]) => before.length === 64 && before === after));
  const epochs = await rows(page, ".told");
  assert.equal(epochs.length, 3);
  assert.ok(Number(epochs[2][1]) < Number(epochs[0][1]), `losses ${epochs.map(([, loss]) => loss)}`);
  assert.ok(Number(epochs[2][3]) > Number(epochs[0][3]), `mAP50 ${epochs.map((row) => row[3])}`);
  for (const line of await page.locator(".chart .curve > path").evaluateAll((all) => all.map((path) => path.getAttribute("d")))) {
    assert.match(line, /^M[\d. ]+L/);
  }
  assert.match(await page.locator("#train-status").textContent(), /^Done: 3 epochs in \d+ s\.$/);
  // Now a pace is known.
  await page.locator("#forecast", { hasText: /^About \d+ s, / }).waitFor(SLOW);
  const [file] = await Promise.all([page.waitForEvent("download"), page.locator("#export").click()]);
  assert.equal(file.suggestedFilename(), "best.safetensors");
  const bytes = await readFile(await file.path());
  assert.ok(bytes.length > 1_000_000 && bytes.subarray(8, 9).toString() === "{");
  const [graph] = await Promise.all([page.waitForEvent("download"), page.locator("#export-onnx").click()]);
  assert.equal(graph.suggestedFilename(), "best.onnx");
  const onnx = await readFile(await graph.path());
  assert.ok(onnx.length > 2 * bytes.length - 1_000_000 && onnx.includes("frostline") && onnx.includes("output0"));
  const commands = await page.locator(".command code").allTextContents();
  assert.equal(commands[0], "frostline train --freeze 24 --epochs 3 --imgsz 128 --batch-size 8 --seed 0 --cache-features auto");
  assert.equal(commands[1], "frostline val --weights best.safetensors --imgsz 128");
  assert.deepEqual(await violations(page), []);
  await page.getByRole("button", { name: "한국어" }).click();
  assert.deepEqual(await violations(page), []);

  // What was done is there on the next visit, with its weights.
  await page.reload();
  await page.locator("#gained").waitFor(SLOW);
  assert.equal((await rows(page, ".told")).length, 3);
  await page.locator("#export").waitFor();
  noErrors();
  await context.close();
});

test("a run that a reload cuts off goes on from its last epoch", async () => {
  const { page, context, noErrors } = await open("train", "&freeze=24");
  await page.locator("#epochs").fill("60");
  await page.locator("#train-start").click();
  await page.locator("#live-map50 b", { hasText: /\d/ }).waitFor(SLOW);
  await page.waitForFunction(
    () =>
      new Promise((done) => {
        const asked = indexedDB.open("frostline");
        asked.onsuccess = () => {
          const get = asked.result.transaction("values").objectStore("values").get("run-snapshot");
          get.onsuccess = () => done(Boolean(get.result));
        };
      }),
    null,
    SLOW,
  );
  await page.reload();
  await page.locator("#kept-go-on").waitFor(SLOW);
  const offer = await page.locator(".kept p").textContent();
  const [, done, all] = offer.match(/freeze 24, (\d+) of (\d+) epochs/);
  assert.ok(Number(done) >= 1 && all === "60", offer);
  assert.deepEqual(await violations(page), []);
  assert.equal(await page.locator("#kept-go-on").textContent(), `Go on from epoch ${Number(done) + 1}`);
  await page.locator("#kept-go-on").click();
  await bar(page, "runs");
  await page.waitForFunction((least) => Number(document.querySelector(".told tbody tr:last-child th")?.textContent) > least, Number(done), SLOW);
  await page.locator("#train-stop").click();
  await bar(page, "idle");
  const epochs = (await rows(page, ".told")).map(([number]) => Number(number));
  assert.deepEqual(epochs, epochs.map((_, index) => index + 1));
  assert.match(await page.locator("#train-status").textContent(), /^Stopped after \d+ epochs/);
  assert.equal(await page.locator("#receipt").getAttribute("data-holds"), "true");
  noErrors();
  await context.close();
});

test("weights of one's own are taken, and what is none is refused beside the field", async () => {
  const { page, context, noErrors } = await open("train");
  await page.locator("#weights-file").setInputFiles({ name: "page.pt", mimeType: "", buffer: Buffer.from("<html>") });
  await page.locator("#weights-error", { hasText: "a web page" }).waitFor(SLOW);
  assert.match(await page.locator("#weights-name").textContent(), /yolov5n-source/);
  await page.locator("#weights-file").setInputFiles({ name: "mine.safetensors", mimeType: "", buffer: await readFile(WEIGHTS) });
  await page.locator("#weights-name", { hasText: "mine.safetensors" }).waitFor(SLOW);
  assert.match(await page.locator("#weights-said").textContent(), /YOLOv5n, \d+ classes, \d+ tensors/);
  assert.match((await page.locator(".command code").allTextContents())[0], /--weights mine\.safetensors/);
  await page.locator("#epochs").fill("0");
  assert.ok(await page.locator("#train-start").isDisabled());
  assert.match(await page.locator("#epochs-error").textContent(), /from 1 to/);
  noErrors();
  await context.close();
});

test("a race of three plans ends in a table with the best of each column", async () => {
  const { page, context, noErrors } = await open("race");
  await page.locator("#epochs").fill("1");
  await page.locator("#race-start").click();
  await page.locator("#race-status", { hasText: "Run 1 of 3, freeze 24" }).waitFor(SLOW);
  await page.locator("#race-status", { hasText: "All three runs are done." }).waitFor({ timeout: 120_000 });
  const table = await rows(page, "#race-table");
  assert.deepEqual(table.map(([freeze]) => freeze), ["24", "10", "0"]);
  for (const column of [1, 2, 3, 4]) {
    const values = table.map((row) => row[column]);
    assert.ok(values.every((value) => /^\d/.test(value)), `${values}`);
    assert.ok(values.some((value) => value.includes("best")), `${values}`);
  }
  assert.equal(await page.locator(".chart .curve > path").count(), 3);
  assert.deepEqual(await violations(page), []);
  await page.getByRole("button", { name: "한국어" }).click();
  assert.deepEqual(await violations(page), []);
  await page.reload();
  await page.locator("#race-table").waitFor(SLOW);
  assert.deepEqual(await rows(page, "#race-table").then((again) => again.map(([freeze]) => freeze)), ["24", "10", "0"]);
  noErrors();
  await context.close();
});
